# A commit index beyond the log commits only what is known to agree.
quiet
found a b c
tick a
settle
loud
say a b 2 commit 900
say c b 2 commit 900
say a b 1 commit 900
show
----
> quiet
> loud
> say a b 2 commit 900
  b: to a, term 2: agreed 2, durable 2
> say c b 2 commit 900
> say a b 1 commit 900
  b: to a, term 2: no 0 here, try -
> show
  a: leader term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
