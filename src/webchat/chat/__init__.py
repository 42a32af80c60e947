"""The chat on one node: who is here, what they may say, how it reaches everybody.

Put together:
    assembly    everything here over a store and a bus
    handlers    what a connection may say, and which flow answers it
    gate        what it sent while something of it is looked up
    client      a connection, before and after `join`; an act of it
    identity    whose it is, and until when

Who is here:
    roster      who is here, and which logs they follow
    arriving    a user comes, and all it is in is followed
    followed    the logs that are followed here, and by whom
    attendance  who of them comes into a log and who leaves it
    recents     who came in last, on any node (open mode)

An entry's way out:
    sending     an append: passed on, published, acknowledged
    acks        the ack, which takes the entry's place
    publishing  to the other nodes, and which logs failed
    topics      channels and payloads of the bus
    hub         to the devices of those who follow the log
    device      a connection of the full form
    seed        a connection of the seed's form
    packets     what is said, encoded

Catching up:
    joining     `join` and `sync`
    cursors     where a device begins in each log
    lag         where it is behind
    backlog     what it lacks, read at its pace
    ahead       a device that knows more than this node

Repair:
    listening   what other nodes publish, or do not
    gaps        entries that did not come by
    comparing   heads here and in the store
    unheard     news of receipts that the bus did not take, or not every node has heard
    repeating   said again to who may not have heard
    reminding   positions, after an outage of the bus

Receipts:
    confirming  which entry a reader means
    notices     their news, on the way to devices
    counted     counts in large groups, from all nodes
    keeping     for authors who are nowhere (open mode)
    snapshots   where everybody is

Acts:
    grouping    in groups: create, refer, depart, rejoin
    governing   of owners and admins
    amending    edit, delete and react
    restarting  groups that the server does not know (open mode)

What all use:
    rates       how often a connection may speak
    settings    of repair
    stats       what is counted
    tools       all of that, and what is outside, for every part
"""
