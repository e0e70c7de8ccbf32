"""The public web: feeds, the pages behind the links in mails, health. Only the daemon imports it."""
