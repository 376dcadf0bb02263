"""Where servers live. One folder or file per kind of place; `base` says what each must do."""
