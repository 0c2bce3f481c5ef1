"""Jobs: what they are, where they are kept, which comes next, and what runs them."""
