"""A store in one DynamoDB table, or whatever speaks its API."""
