"""What the database itself keeps: roles and grants, the stamp, the audit trail and the concealed schema."""
