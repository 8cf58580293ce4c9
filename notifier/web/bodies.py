"""What callers send as a body. Bounded, without NUL, and nothing unknown is taken."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import JsonSchemaValue

from notifier.domain.answer import Actor, Answer, DeclineReason, Kind
from notifier.domain.appeal import Cause, Outcome
from notifier.domain.epp import Measure
from notifier.domain.evidence import Evidence, Label, Limb, Shown
from notifier.domain.fields import Line, Prose
from notifier.domain.report import EVIDENCE_MAX
from notifier.domain.rule import Recipient
from notifier.store.agreements import Scope
from notifier.web.schemas import Hex256, Moment, Reason, RowId, Sent, Slug, Spelling, Text, Word


class Approval(Sent):
    """Approves exactly the notices that `digest` names."""

    digest: Hex256 = Field(description="`digest` of the preview that was read.")
    note: Text = Field(default="", description="Kept with the approval.")


class Because(Sent):
    """Why."""

    reason: Reason = Field(description="Kept for ever, and told to those it concerns.")


class HopReason(Sent):
    """Why two names belong together, or do not."""

    reason: Reason = Field(description="Kept for ever, and read by staff alone.")


class ContactIn(Sent):
    """Where a party of the case is reached."""

    party: Literal[Recipient.HOST, Recipient.REGISTRAR] = Field(description="Whose contact it is.")
    address: Word = Field(description="One mailbox.")
    source: Reason = Field(description="How you know, such as the page where it stands. Shown to the approver.")
    name: Text = Field(default="", description="The party's name where the look-up gave none.")


class AmendmentIn(Sent):
    """Our answer to a recipient that asked for more."""

    answer: Reason = Field(description="It goes to the recipient at the head of the amended notice.")


class Channel(Sent):
    """Another channel for an agreement."""

    adapter: Slug = Field(description="Name of the adapter: smtp, webhook, api, authority, webform, or a package's.")
    address: dict[Word, Any] = Field(
        min_length=1, max_length=50, description="As `[address]` of an agreement's file; names secrets, holds none."
    )


class Confirmed(Sent):
    """What is known of a change beyond what it says."""

    note: Text = Field(default="", description="Of a recipient's proposal: who of them confirmed it by call-back.")


class Stopping(Sent):
    """What is stopped, and why."""

    scope: Annotated[Scope, Field(strict=False)] = Field(
        description="requests: withdrawals still leave; everything: nothing does."
    )
    reason: Reason = Field(description="Kept for ever.")


class Resuming(Sent):
    """What is known of why it may go on."""

    note: Text = Field(default="", description="Needed when the recipient stopped it: who of them agreed.")


class Rejection(Because):
    """Why a case is rejected."""

    ground: Literal["substance", "clerical", "out_of_scope", "duplicate"] = Field(
        default="substance", description="For the accuracy ledger: clerical and duplicate are held against nobody."
    )


class Withdrawal(Because):
    """Why a case is taken back."""

    ground: Literal["error", "cured", "other"] = Field(
        default="other", description="error: we were wrong; cured: what was reported is gone."
    )


class Merging(Sent):
    """Which case goes on."""

    into: RowId = Field(description="Id of the case that goes on with this one's reports.")
    reason: Text = Field(default="", description="Why they are one matter; needed when they are about different names.")


class Detaching(Sent):
    """Which reports do not belong to a case."""

    report_ids: list[RowId] = Field(min_length=1, max_length=1_000, description="Reports that go, with their evidence.")
    evidence_ids: list[RowId] = Field(
        default_factory=list, max_length=1_000, description="Evidence without a report that goes with them."
    )
    into: RowId | None = Field(default=None, description="Id of the open case that they go to.")
    domain: Spelling | None = Field(
        default=None, description="The name that they are about; without it, the one that the first of them gives."
    )
    reason: Reason = Field(description="Why they do not belong, kept for ever.")

    @model_validator(mode="after")
    def _one_way(self) -> "Detaching":
        if self.into is not None and self.domain is not None:
            raise ValueError("name the case they go `into`, or the `domain` they are about, not both")
        return self


class Deconfliction(Sent):
    """A name that an authority investigates."""

    pattern: Word = Field(description="evil.com or *.evil.com, cheap-pharma.*, *pills.com.")
    authority: Word = Field(description="Who investigates.")
    reference: Word = Field(description="The authority's own reference.")
    note: Text = Field(default="", description="Seen only with the permission deconflict.")
    until: Moment | None = Field(default=None, description="When it ends by itself, RFC 3339 with a zone.")


class GrantIn(Sent):
    """Who sees a program's numbers, and for how long."""

    organisation: Word = Field(description="Its evaluators and auditors see them.")
    until: Moment = Field(description="When it ends by itself, RFC 3339 with a zone; at most three years away.")
    names_shown: bool = Field(default=False, description="Whether domain names are shown beside case ids.")
    small_numbers: bool = Field(
        default=False, description="Whether numbers below the program's `suppress_below` are shown too."
    )


class Release(Sent):
    """Why an entry ends."""

    note: Reason = Field(description="Seen only with the permission deconflict.")


class Assignment(Sent):
    """Who looks after the case."""

    assignee: Word | None = Field(description="A principal's id; null for nobody.")


class AnswerIn(Sent):
    """What a recipient says of a notice. A claim is a claim until it is observed."""

    kind: Kind = Field(description="Kind of answer.")
    measure: Measure | None = Field(default=None, description="What was done; action_taken needs it.")
    actor: Actor | None = Field(default=None, description="Who did it, if known.")
    reason: DeclineReason | None = Field(default=None, description="Why it was declined; declined needs it.")
    effective_at: Moment | None = Field(default=None, description="When it took effect, RFC 3339 with a zone.")
    comment: Text = Field(default="", description="In words.")
    domain: Word | None = Field(
        default=None, description="The name written back; another one than the notice's alarms."
    )

    def answer(self) -> Answer:
        """The same for the service."""
        return Answer(**dict(self))


class Resolution(Sent):
    """How a task ended."""

    resolution: Literal[
        "done",
        "arrived",
        "not_arrived",
        "confirmed",
        "not_confirmed",
        "tied",
        "filed",
        "not_filed",
        "unsure",
        "right",
        "wrong",
    ] = Field(
        description="uncertain: arrived or not_arrived; confirm_answer: confirmed or not_confirmed; "
        "unmatched_mail: done, or tied to notice_id; webform: filed, not_filed or unsure; "
        "second_look at what one person approved alone: right or wrong; else done."
    )
    note: Text = Field(default="", description="What came of it; why, if not_filed, unsure or wrong.")
    reference: Spelling | None = Field(default=None, description="filed: the number that the recipient gave.")
    filed_at: Moment | None = Field(default=None, description="filed: when; without it, just now.")
    answer: AnswerIn | None = Field(default=None, description="What the recipient said by call-back, if confirmed.")
    notice_id: RowId | None = Field(default=None, description="The notice that a message answers, if tied.")


def _list_or_object(schema: JsonSchemaValue) -> None:
    """The page shows both forms that are taken."""
    items, named = schema["properties"]["evidence"], {k: v for k, v in schema.items() if k != "description"}
    text = schema.get("description", "")
    schema.clear()
    schema.update({"description": text, "anyOf": [items, named]})


class EvidenceIn(BaseModel):
    """More evidence: a JSON array of items, or an object with the array as `evidence`."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_list_or_object)

    evidence: list[Evidence] = Field(min_length=1, max_length=EVIDENCE_MAX, description="Evidence items.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"evidence": data} if isinstance(data, list) else data


class Judged(Sent):
    """What a person judges a capture to show; the rest is known from the capture itself."""

    visitor: Slug = Field(default="desktop", description="The visitor whose page was judged.")
    finding: Label
    limb: Limb | None = Field(default=None, description="Pharmacy program: the limb of the test that this page proves.")
    offers: Line | None = Field(default=None, description="Name of the substance or product offered, one only.")
    shows: list[Shown] = Field(default_factory=list, max_length=20, description="What the page shows, from the list.")
    ships_to: Line | None = Field(default=None, description="Jurisdiction that the page offers to ship to.")
    text_excerpt: Prose | None = Field(default=None, description="The words on the page that matter, plain text.")


class AppealEvidence(Sent):
    """Something that speaks for the appeal; nothing is fetched from it."""

    kind: Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00]*$")] = ""
    url: Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")] = ""
    text: Annotated[str, StringConstraints(max_length=5_000, pattern=r"^[^\x00]*$")] = ""


class AppealIn(Sent):
    """An appeal. Anybody may file one about any name; it says nothing about what there is."""

    domain: Spelling = Field(description="The name, in any spelling.")
    grounds: Reason = Field(description="Why our decision is wrong, in your own words.")
    contact: Spelling = Field(description="How to reach you. Seen by the people who hear the appeal.")
    reference: Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="The number of our case, or the link of your notice, which needs no other proof."
    )
    evidence: Annotated[list[AppealEvidence | Word], Field(max_length=20)] = Field(
        default_factory=list, description="What speaks for you."
    )
    content_flags: Annotated[list[Word], Field(max_length=20)] = Field(
        default_factory=list, description="Marks on the content; `csam` makes us refuse and keep nothing."
    )


class AppealDecisionIn(Sent):
    """`reasons` are read by whoever appealed: they name nobody of ours and nobody who reported."""

    outcome: Outcome = Field(strict=False)
    reasons: Reason
    corrected_cause: Cause | None = Field(
        default=None, strict=False, description="Why it falls: for overturned and partial; `other` without it."
    )
