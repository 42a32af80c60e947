"""Small programs for `make`; none is part of the product."""
