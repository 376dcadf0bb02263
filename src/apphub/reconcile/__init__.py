"""Make what people want so: compare wanted with seen, do one step, repeat."""
