"""The math reward beside verl's own scorer and plain math-verify: speed, agreement, adversarial input."""
