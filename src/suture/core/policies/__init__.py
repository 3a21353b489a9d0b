"""Parts of the policy document that are large enough for a file of their own."""
