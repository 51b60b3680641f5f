"""Analysis without sight: partners' answers, nobody's rows."""
