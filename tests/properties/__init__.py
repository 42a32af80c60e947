"""What holds whatever people do: random stories of several people, told to the chat layer."""
