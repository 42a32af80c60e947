"""The flows: what is checked and decided, and what is asked of the store. They know no connection.

Messages and receipts:
    send            a message
    amend           edit, delete and react
    receipts        positions that move, gathered and stored
    telling         which authors hear of it
    passed_over     what a reader may still name, though its position is beyond
    read_positions  where readers are, as others may see it
    readers         who is in a conversation, and who has read an entry

Conversations:
    conversations   the list, and one of them
    history         pages of a log
    seeing          what of an entry is for whoever was not there all the time
    pages           what a page is

Groups:
    standing            where somebody stands in a group, and what is appended from there
    membership          what entries say about who is in
    membership_entries  making a group, adding people, leaving, putting out
    ruling_entries      who is owner or admin; name, picture, settings; closing

Coming in:
    consent         who is asked first
    invitations     for those who are
    links           for whoever has the code
    directory       public groups
    entering        what all these end in
    appending       an append that everybody hears of

People:
    profiles        who somebody is, cached
    accounts        as their owners use them
    own_account     what one changes of one's own
    account_rules   what an account's fields may hold
    passwords       how they are hashed
    tokens          of logins
    administration  as the operator handles accounts

Nodes and stores:
    peers           leases of the nodes
    node_keys       another key for what nodes sign
    transfer        export and import
    soundness       whether a store keeps its promises

What all use:
    apart           a store that does not answer for some things alone
    batches         many reads at once
    fair            work that few can do at a time
    hashes          secrets as the store knows them
    newest          dicts that keep the newest
    patience        a store that does not answer
    tasks           tasks that are held until they end
    turns           work on one thing, one after the other
"""
