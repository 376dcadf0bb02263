"""Small tools without a domain: time, secrets, names, addresses, tasks, logs."""
