# A member whose disk failed says nothing more and refuses what is asked of it.
quiet
found a b c
tick a
settle
loud
propose a one
fail a
settle
show
propose a two
tick a
quiet
run 800
loud
show
----
> quiet
> loud
> propose a one
  a: proposed 2.3
  a: appended 2.3 "one"
  a: to b, term 2: after 2.2 add 2.3 "one", commit 2
  a: to c, term 2: after 2.2 add 2.3 "one", commit 2
  a: write 3: 2.3 "one"
> fail a
  a: leader unknown, term 2
> settle
  b: appended 2.3 "one"
  b: write 3: 2.3 "one"
  b: to a, term 2: agreed 3, durable 3
  c: appended 2.3 "one"
  c: write 3: 2.3 "one"
  c: to a, term 2: agreed 3, durable 3
> show
  a: broken term 2, leader unknown, log 2...2.3, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 2, members a,b,c
  c: follower term 2, leader a, log 2...2.3, durable 3, commit 2, members a,b,c
> propose a two
  a: refused: broken
> tick a
> quiet
> loud
> show
  a: broken term 2, leader unknown, log 2...2.3, durable 2, commit 2, members a,b,c
  b: follower term 3, leader c, log 2...3.4, durable 4, commit 4, members a,b,c
  c: leader term 3, leader c, log 2...3.4, durable 4, commit 4, members a,b,c
