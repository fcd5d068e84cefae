"""Compare the math reward with verl's own scorer and plain math-verify: speed, agreement, adversarial input."""
