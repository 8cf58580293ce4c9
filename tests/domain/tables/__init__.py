"""Tables of facts about names, and how ours compare with them."""
