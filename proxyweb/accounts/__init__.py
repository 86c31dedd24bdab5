"""Who may sign in, and how that is proved: users, passwords, tokens, lockout. Knows nothing of Flask's requests.

What changes something is given a session inside a transaction (`db.session.transaction`); what only asks is given a
connection. Times are Unix seconds and passed in.
"""
