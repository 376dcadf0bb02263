"""What goes over the wire, declared: shapes of JSON, and which operation takes and answers which."""
