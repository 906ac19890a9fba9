"""Reading images and masks."""
