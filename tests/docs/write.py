"""`python -m tests.docs.write`: brings the generated parts of the documents up to date, and names what changed."""

from tests.docs.blocks import DOCUMENTS, ROOT, filled


def main() -> None:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        if (made := filled(text)) != text:
            path.write_text(made, encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: brought up to date")


if __name__ == "__main__":
    main()
