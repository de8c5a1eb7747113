# While the leader is heard, a request for votes in a higher term is turned away and changes no term; the
# candidate's own answer to the leader then ends the older term, or it would be stuck for ever.
quiet
found a b c
tick a
settle
cut a
tick c
deliver c b
deliver b c
write c
heal a
tick a
deliver a b
show
loud
deliver c b
show
settle
show
----
> quiet
> show
  a: leader term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: candidate term 3, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
> loud
> deliver c b
  b: to c, term 2: not my vote
> show
  a: leader term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: candidate term 3, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
> settle
  c: to a, term 3: no 2 here, try -
  a: leader unknown, term 3
  a: write 3: term 3 vote -
> show
  a: follower term 3, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: candidate term 3, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
