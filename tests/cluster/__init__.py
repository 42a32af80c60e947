"""Several nodes, Redis, a DynamoDB engine and a balancer as real processes on this machine."""
