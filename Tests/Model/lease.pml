/*
 * The rule that makes leases safe (docs/architecture.md), small enough to be looked at whole.
 *
 * One address, held by node J (0) when we look. The others may fence J, change who votes, crash and restart, and one
 * of them leads. What is checked: once the leader finds J's fence in effect, J's lease is over for ever.
 *
 * Written from the promise, not from the program. Agreement itself (one log, committed entries are never lost) is taken
 * for granted; what a new leader does not have is cut off the other logs at once. Everything else is the worst that may happen:
 * - a heartbeat takes no time (delay only ends the lease earlier than it begins silence); its acknowledgement may be
 *   on its way until J's log knows as much as the acknowledging log did;
 * - the leader fences without waiting for silence, so that only the wait itself protects;
 * - a crashed node is back at once; what was not on its disk is gone;
 * - a message takes as long as it likes: what may happen may also not happen.
 * Time is counted in ticks; a lease is T of them, and anything may happen between two.
 *
 * Rules that can be switched off, each of which must then give a counterexample:
 *   -DF1    voter changes may follow each other at once
 *   -DF2A   a replier tells ages of fences that are not on its disk, and what it told outlives its crash
 *   -DF2B   the leader counts its own silence for a fence that is not on its disk
 *   -DF3    who hears a newer life takes the earlier one for silent since the beginning
 *   -DF3B   a newer life that says that its keeper is empty is believed, be it another machine
 *   -DWAIT  no wait at all
 *   -DVOUCH a new leader takes every committed fence to be in effect as soon as its own first entry is committed
 *   -DEPOCH acknowledgements count whatever the acknowledging log knows
 *   -DSTART a restarted node takes a holder it has not heard for silent
 *
 * -DRECOVER adds the recovery of a lost quorum (fsdns recover-quorum): nodes are lost, those that are left go on without
 * them by one entry, which is their membership and the fence of all that are lost; the lost join anew. J is left, or is
 * dead and holds nothing. Rules of it that can be switched off:
 *   -DUNANIMOUS whoever is told so leads, without the votes of all that are left: they may know more
 *   -DPATIENT   the lost need not have been silent for a lease (10 s in the program)
 *   -DSOFT      what a lost leader told of effects counts for entries that took the place of those it told of
 * With -DALIVE the operator is wrong: J and others of the lost live where nobody of those that are left hears them, and are
 * no majority of the voters that J knows. What is not promised then, and gives a counterexample each:
 *   -DMAJORITY_LIVES they are a majority: see recovery.pml for what becomes of the two sides
 *   -DSTRAGGLER      of those that are left, one that has not heard of the recovery hears J again
 *
 * What is left out because it cannot help to break the rule. All conditions on silence, disks and logs only ask for
 * "at least", and J's having a lease changes nothing for the others, so a run that breaks the rule does so as well
 * without these steps:
 * - J learns of its fence: it then holds nothing for ever.
 * - An acknowledgement is lost: it begins the silence anew and feeds no lease. An older one that counts now and a newer
 *   one that counts later are two runs.
 * - A node without the leader's word hears of a newer life: with the rules on, it only stops acknowledging.
 * - A node crashes and forgets nothing: its silence begins anew. The leader leaves and nobody may follow.
 * - A node is lost after the recovery: it is one that does nothing. (A second recovery is not looked at.)
 * - An entry waits for the disk where no crash is left to come, or at J, which never crashes.
 * - Once the fence is in effect, everything but acknowledgements, entries before the fence, crashes that make a node
 *   forget the fence, and time.
 * Nodes are interchangeable but for J and the leader: the leader is always node 1, and after every step the others are
 * put in order (`sort`). No condition asks for a number besides those two, so states that differ by the order alone
 * have the same future. -DPLAIN leaves them as they are, to compare.
 */
#ifndef N
#define N 3
#endif
#ifndef T
#define T 2
#endif
/* Entries of the log that matter: fences of J, voter changes, first entries of leaders. At most 6. */
#ifndef K
#define K 3
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef LEADERS
#define LEADERS 2
#endif
/* Fewer voters are not left by a change. */
#ifndef LEAST
#define LEAST 3
#endif

#define J 0
#define LEAD 1

byte votes[N];          /* bit i: votes after entry i; the first entry is 1 */
byte log[N];            /* entries in the node's log */
byte h[N];              /* ticks since the node last acknowledged J (or started), at most T */
byte a[N];              /* entries in the node's log when it did, while J's log has fewer; else 0 */
#if CRASHES > 0
byte dur[N];            /* of its entries, on its disk */
byte v[N];              /* ticks since J sent what the node acknowledged last, at most T */
#else
#define dur log
#define v h
#endif
#ifdef F2A
byte tells[N];           /* the leader: silence as the node told it, aged since; T + 1 is nothing told */
#endif
#if defined(F3) || defined(F3B)
bool newer[N];          /* the node has heard a newer life of J */
#endif
#ifdef RECOVER
byte out[N];            /* 0: here. 1: lost, dead. 2: lost, lives where nobody of those left hears it. 3: here as a new member */
byte rec;               /* the entry of the recovery; 0 before */
byte since = T;         /* ticks since somebody was lost, at most T */
byte told;              /* how far entries were in effect, as the lost leader told it */
#define OUT(n) (out[n] == 1 || out[n] == 2)
#else
#define OUT(n) false
#endif
bool leads = true;
byte leaders = 1;
byte own;               /* the leader's first entry; 0 for the founder's */
byte com;               /* committed, as the leader knows */
byte changes;           /* bit i: entry i is a change of voters */
byte fence;             /* where the fence of J stands; 0 is nowhere */
byte changed = T;       /* ticks since a voter change was committed (or a leader's first entry), at most T */
byte settled = T;       /* ticks since the leader's first entry was committed, at most T */
byte crashes;
bool effect;            /* the leader found the fence in effect: another node may have the address */

byte x, y;              /* only within steps; always zero between them */
/* The node's number before all sorting, for what is printed: part of the state only where a trail is wanted. */
#ifdef TRAIL
byte who[N];
#else
hidden byte who[N];
#endif

#if N == 3
#define SUM(F, e) (F(0, e) + F(1, e) + F(2, e))
#define OTHERS(S) S(1) S(2)
#elif N == 4
#define SUM(F, e) (F(0, e) + F(1, e) + F(2, e) + F(3, e))
#define OTHERS(S) S(1) S(2) S(3)
#elif N == 5
#define SUM(F, e) (F(0, e) + F(1, e) + F(2, e) + F(3, e) + F(4, e))
#define OTHERS(S) S(1) S(2) S(3) S(4)
#else
#define SUM(F, e) (F(0, e) + F(1, e) + F(2, e) + F(3, e) + F(4, e) + F(5, e))
#define OTHERS(S) S(1) S(2) S(3) S(4) S(5)
#endif

#if defined(F3) || defined(F3B)
#define NEWER(n) newer[n]
#else
#define NEWER(n) false
#endif
#define VOTES(n, e) ((votes[n] >> (e)) & 1)
#define MAJORITY(F, e) (2 * SUM(F, e) > SUM(VOTES, e))
#ifdef RECOVER
#define KNOWS(n) (fence != 0 && log[n] >= fence && !OUT(n))
#else
#define KNOWS(n) (fence != 0 && log[n] >= fence)
#endif

/* J has a lease by what it knows: whoever knows its own fence has none. */
#ifdef RECOVER
/* Who was given up lives on by the voters that it knows (bit 7); who joined anew is not the member it was. */
#define OWNLOG (OUT(J) -> 7 : log[J])
#define FEEDS(n, e) (VOTES(n, e) && (n == J || out[n] == 2 || \
    (v[n] < T && a[n] == 0 && (out[n] != 3 || (e >= rec && e != 7)))))
#else
#define OWNLOG log[J]
#define FEEDS(n, e) (VOTES(n, e) && (n == J || (v[n] < T && a[n] == 0)))
#endif
#define HOLDING (!KNOWS(J) && MAJORITY(FEEDS, OWNLOG))

/* The next entry to be committed (an older leader's only with the leader's own) is on the disks of a majority. */
#define NEXT (com < own -> own : com + 1)
#define HAS(n, e) (VOTES(n, e) && dur[n] >= NEXT)

/* A majority of the voters before the fence has been silent for a lease, each on its own evidence. */
#ifdef F2A
#define TELLS(n) (tells[n] >= T && tells[n] != T + 1 && dur[n] >= fence)
#else
#define TELLS(n) (KNOWS(n) && dur[n] >= fence && h[n] >= T)
#endif
#ifdef F2B
#define OWN(n) (KNOWS(n) && h[n] >= T)
#else
#define OWN(n) (KNOWS(n) && dur[n] >= fence && h[n] >= T)
#endif
/* A recovery is itself the fence, and left those alone to vote that have to be silent. */
#define VOTERS (fence == own -> fence : fence - 1)
#define SILENT(n, e) (n != J && VOTES(n, e) && ((n == LEAD && OWN(n)) || (n != LEAD && TELLS(n))))
#if defined(RECOVER) && defined(SOFT)
#define WAITED (MAJORITY(SILENT, VOTERS) || fence <= told)
#elif defined(WAIT)
#define WAITED true
#elif defined(F3B)
#define WAITED (MAJORITY(SILENT, VOTERS) || NEWER(LEAD))
#else
#define WAITED MAJORITY(SILENT, VOTERS)
#endif
#ifdef VOUCH
#define VOUCHES true
#else
#define VOUCHES (settled >= T)
#endif

#ifdef F1
#define CALM true
#else
#define CALM (changed >= T)
#endif

/* A majority of the voters that n knows has no longer log, and may vote for it. */
#define GRANTS(m, n) (!OUT(m) && VOTES(m, log[n]) && log[m] <= log[n])

#define EXCHANGE(field, p, q) y = field[p]; field[p] = field[q]; field[q] = y; y = 0

inline swap(p, q) {
    EXCHANGE(votes, p, q); EXCHANGE(log, p, q); EXCHANGE(h, p, q); EXCHANGE(a, p, q); EXCHANGE(who, p, q);
#if CRASHES > 0
    EXCHANGE(dur, p, q); EXCHANGE(v, p, q);
#endif
#ifdef F2A
    EXCHANGE(tells, p, q);
#endif
#if defined(F3) || defined(F3B)
    EXCHANGE(newer, p, q);
#endif
#ifdef RECOVER
    EXCHANGE(out, p, q);
#endif
}

#ifdef F2A
#define KEY2(n) tells[n]
#elif defined(RECOVER)
#define KEY2(n) out[n]
#else
#define KEY2(n) NEWER(n)
#endif
#define KEY(n) ((((((log[n] * 8 + dur[n]) * 4 + h[n]) * 4 + v[n]) * 8 + a[n]) * 8 + KEY2(n)) * 256 + votes[n])

inline order(p, q) { if :: KEY(p) > KEY(q) -> swap(p, q) :: else -> skip fi }

/* Puts those in order that are neither J nor the leader. */
inline sort() {
#ifndef PLAIN
    if
    :: leads -> skip
    :: else -> order(1, 2);
#if N > 3
        order(1, 3);
#endif
#if N > 4
        order(1, 4);
#endif
#if N > 5
        order(1, 5);
#endif
    fi;
#if N > 3
    order(2, 3);
#endif
#if N > 4
    order(2, 4); order(3, 4);
#endif
#if N > 5
    order(2, 5); order(3, 5); order(4, 5);
#endif
#endif
    skip
}

inline check() { assert(!(effect && HOLDING)) }

inline age(field) { if :: field < T -> field++ :: else -> skip fi }

/* Of the leader; `mask` of those for whom it changes whether they vote. */
inline append(mask) {
    x = 0;
    do
    :: x < N -> votes[x] = votes[x] | ((((votes[x] >> log[LEAD]) ^ (mask >> x)) & 1) << (log[LEAD] + 1)); x++
    :: else -> break
    od;
    x = 0;
    log[LEAD]++;
#if CRASHES > 0
    keep(LEAD)
#endif
}

#if CRASHES > 0
/* Where no crash can come the disk need not be waited for. */
inline keep(n) { if :: n == J || crashes == CRASHES -> dur[n] = log[n] :: else -> skip fi }
#endif

/* J is heard and acknowledged by n: not by who knows its fence, nor by who knows a newer life. */
#ifdef RECOVER
/* The lost are heard again only by who knows that they are given up, or by anybody as soon as somebody is told so. */
#ifdef STRAGGLER
#define HEARD (!OUT(J) || rec != 0)
#else
#define HEARD (!OUT(J))
#endif
#else
#define HEARD true
#endif
#ifdef EPOCH
#define BEYOND(n) 0
#else
#define BEYOND(n) (log[n] > log[J] -> log[n] : 0)
#endif
#define ACKNOWLEDGE(n) :: d_step { (!OUT(n) && HEARD && !KNOWS(n) && !NEWER(n) && (v[n] != 0 || a[n] != BEYOND(n))) -> \
    printf("@ %d acknowledges J\n", who[n]); if :: !effect -> h[n] = 0 :: else -> skip fi; v[n] = 0; a[n] = BEYOND(n); check(); sort() }

/* The next entry reaches n. */
#define REACH(n) :: d_step { (!OUT(n)) && (effect -> log[n] + 1 < fence : leads && log[n] < log[LEAD]) -> \
    log[n]++; printf("@ entry %d reaches %d\n", log[n], who[n]); keep(n); sort() }

#if CRASHES > 0
/* What n has is on its disk. */
#define WRITE(n) :: d_step { (!effect && !OUT(n) && dur[n] < log[n]) -> \
    dur[n] = log[n]; printf("@ entry %d is on the disk of %d\n", log[n], who[n]); sort() }

/* n crashes and is back at once. */
#ifdef START
#define SINCE T
#define WORTH(n) true
#else
#define SINCE 0
#define WORTH(n) (dur[n] < log[n])
#endif
#define CRASH(n) :: d_step { (!OUT(n) && crashes < CRASHES && (effect -> dur[n] < fence && log[n] >= fence : \
        WORTH(n) && (n != LEAD || !leads || leaders < LEADERS))) -> \
    crashes++; printf("@ %d crashes and starts with entry %d\n", who[n], dur[n]); log[n] = dur[n]; \
    if :: !effect -> h[n] = SINCE :: else -> skip fi; if :: n == LEAD -> leads = false :: else -> skip fi; \
    x = 0; do :: x < N -> keep(x); x++ :: else -> break od; x = 0; sort() }

#else
inline keep(n) { skip }
#endif

/* Another leads; what others have beyond its log is cut off at once. */
#define ELECT(n) :: d_step { (!leads && !effect && !OUT(n) && leaders < LEADERS && log[n] < K && 2 * SUM(GRANTS, n) > SUM(VOTES, log[n])) -> \
    printf("@ %d leads\n", who[n]); assert(log[n] >= com); leads = true; leaders++; settled = 0; changed = 0; \
    if :: n != LEAD -> swap(LEAD, n) :: else -> skip fi; elected(); sort() }

inline elected() {
    own = log[LEAD] + 1;
    if :: fence >= own -> fence = 0 :: else -> skip fi;
    changes = changes & ((1 << own) - 1);
    x = 0;
    do
    :: x < N ->
        votes[x] = votes[x] & (((1 << own) - 1) | 128);
        if :: log[x] >= own && !(x == J && OUT(J)) -> log[x] = own - 1 :: else -> skip fi;
        if :: a[x] > own -> a[x] = own :: else -> skip fi;
#if CRASHES > 0
        if :: dur[x] >= own -> dur[x] = own - 1 :: else -> skip fi;
#endif
#ifdef F2A
        tells[x] = T + 1;
#endif
        x++
    :: else -> break
    od;
    x = 0;
    append(0)
}

#ifdef F2A
/* n tells how long it has been silent, of whatever is in its log. */
#define TELL(n) :: d_step { (leads && !effect && n != LEAD && KNOWS(n) && (tells[n] == T + 1 || tells[n] < h[n])) -> \
    tells[n] = h[n]; printf("@ %d tells %d ticks\n", who[n], h[n]); sort() }
#endif

#if defined(F3) || defined(F3B)
#ifdef F3
#define HEARS(n) if :: !KNOWS(n) && !effect -> h[n] = T :: else -> skip fi
#else
#define HEARS(n) skip
#endif
/* n hears a newer life of J, which is J's own or a copy's. */
#define HEAR(n) :: d_step { !NEWER(n) -> newer[n] = true; printf("@ %d hears a newer life\n", who[n]); HEARS(n); sort() }
#endif

#ifdef RECOVER
/* n is lost. J is not: if it is dead, it holds nothing. */
#define LOSE(n) :: d_step { (rec == 0 && !effect && out[n] == 0 && (n != LEAD || !leads || leaders < LEADERS)) -> \
    printf("@ %d is lost\n", who[n]); out[n] = 1; since = 0; if :: n == LEAD -> leads = false :: else -> skip fi; sort() }

#define HERE(m, e) (VOTES(m, e) && !OUT(m))
#define KEPT(m, n) (!(VOTES(m, log[n]) && !OUT(m)) || (log[m] < com -> log[m] : com) <= log[n])
#ifdef UNANIMOUS
#define ALL(n) true
#else
#define ALL(n) (SUM(GRANTS, n) == SUM(HERE, log[n]))
#endif
#ifdef PATIENT
#define SINCE_LONG(n) true
#define DEAF(m, n) 1
#else
#define SINCE_LONG(n) (since >= T)
#define DEAF(m, n) (m == J || h[m] >= T || OUT(m))
#endif
#ifdef ALIVE
#define GONE true
#else
#define GONE (!OUT(J))
#endif

/* n is told to go on without those that are lost, and all that are left vote for it. */
#define RECOVERY(n) :: d_step { (rec == 0 && !leads && !effect && !OUT(n) && leaders < LEADERS && log[n] < K && \
        VOTES(n, log[n]) && 2 * SUM(HERE, log[n]) <= SUM(VOTES, log[n]) && ALL(n) && SINCE_LONG(n) && \
        (!OUT(J) || SUM(DEAF, n) == N)) -> \
    printf("@ %d leads without the lost\n", who[n]); \
    assert(SUM(KEPT, n) == N); \
    rec = log[n] + 1; leads = true; leaders++; settled = 0; changed = 0; \
    if :: n != LEAD -> swap(LEAD, n) :: else -> skip fi; recovery(); sort() }

inline recovery() {
#ifdef SOFT
    told = (fence != 0 && fence <= com -> fence - 1 : com);
#endif
    if :: com > log[LEAD] -> com = log[LEAD] :: else -> skip fi;
    elected();
    /* The entry is at the same time the new voters, and the fence of all that are lost. */
    x = 0;
    do
    :: x < N -> if :: OUT(x) -> votes[x] = votes[x] & ~(1 << own) :: else -> skip fi; x++
    :: else -> break
    od;
    x = 0;
    if :: OUT(J) -> fence = own :: else -> skip fi
}

/* n, of the lost, lives and hears J: both are no majority of the voters that J knows. */
#ifdef MAJORITY_LIVES
#define LIVES(n) true
#else
#define LIVING(m, e) (VOTES(m, e) && (m == J || out[m] == 2))
#define LIVES(n) (2 * SUM(LIVING, 7) + 2 <= SUM(VOTES, 7))
#endif
#define LIVE(n) :: d_step { (OUT(J) && rec == 0 && out[n] == 1 && VOTES(n, 7) && LIVES(n)) -> \
    printf("@ %d lives and hears J\n", who[n]); out[n] = 2; sort() }

/* A lost machine, or another in its place, joins with nothing of what was. */
#define JOIN(n) :: d_step { (rec != 0 && leads && !effect && out[n] == 1 && !OUT(J)) -> \
    printf("@ %d joins anew\n", who[n]); out[n] = 3; forgets(n); sort() }

inline forgets(n) {
    log[n] = 0; a[n] = 0; h[n] = 0;
#if CRASHES > 0
    dur[n] = 0; v[n] = T
#endif
}
#endif

/* The leader changes who votes, by one. */
#define CHANGE(n) :: d_step { (leads && !effect && log[LEAD] < K && com >= own && (changes >> (com + 1)) == 0 && CALM && \
        n != LEAD && (!VOTES(n, log[LEAD]) && !OUT(n) || VOTES(n, log[LEAD]) && SUM(VOTES, log[LEAD]) > LEAST)) -> \
    printf("@ whether %d votes changes by entry %d\n", who[n], log[LEAD] + 1); \
    append(1 << n); changes = changes | (1 << log[LEAD]); sort() }

active proctype cluster() {
    /* Voters to begin with: all, or fewer, but J, the leader and a third always. */
    d_step {
        x = 0;
        do
        :: x < N -> h[x] = T; v[x] = T; who[x] = x; votes[x] = (x < 3 -> 1 : 0);
#ifdef F2A
            tells[x] = T + 1;
#endif
            x++
        :: else -> break
        od;
        x = 0
    }
#if N > 3
    if
    :: skip
    :: votes[3] = 1
#if N > 4
    :: d_step { votes[3] = 1; votes[4] = 1 }
#endif
    fi;
#endif
    d_step { sort() }

    do
    OTHERS(ACKNOWLEDGE)
    OTHERS(REACH)
    :: d_step { !OUT(J) && (leads && !effect && log[J] < log[LEAD] && log[J] + 1 != fence || effect && log[J] + 1 < fence) ->
        log[J]++; printf("@ entry %d reaches J\n", log[J]); keep(J);
        x = 0;
        do
        :: x < N -> if :: a[x] <= log[J] -> a[x] = 0 :: else -> skip fi; x++
        :: else -> break
        od;
        x = 0; check(); sort() }
#if CRASHES > 0
    OTHERS(WRITE)
    OTHERS(CRASH)
#endif
    OTHERS(ELECT)
    /* The leader leads no longer, and lives. */
    :: d_step { leads && !effect && leaders < LEADERS -> printf("@ %d leads no longer\n", who[LEAD]); leads = false; sort() }

#ifdef F2A
    OTHERS(TELL)
#endif
#if defined(F3) || defined(F3B)
    OTHERS(HEAR)
#endif
#ifdef RECOVER
    OTHERS(LOSE)
    OTHERS(RECOVERY)
    OTHERS(JOIN)
#ifdef ALIVE
    /* J and others live behind a partition; they are no majority of the voters that J knows. */
    :: d_step { rec == 0 && !effect && out[J] == 0 && fence == 0 -> printf("@ J is not heard any more\n"); out[J] = 2; since = 0;
        x = 0;
        do
        :: x < N -> votes[x] = votes[x] | (VOTES(x, log[J]) << 7); x++
        :: else -> break
        od;
        x = 0; sort() }
    OTHERS(LIVE)
#endif
#endif
    CHANGE(J)
    OTHERS(CHANGE)

    /* The leader fences J. */
    :: d_step { leads && !effect && fence == 0 && !OUT(J) && log[LEAD] < K && com >= own ->
        append(0); fence = log[LEAD]; printf("@ fence of J by entry %d\n", fence); sort() }

    /* The leader sees that a majority has the next entry. */
    :: d_step { leads && !effect && com < log[LEAD] && MAJORITY(HAS, log[LEAD]) ->
        com = NEXT; printf("@ entry %d is committed\n", com);
        if
        :: com == own || ((changes >> com) & 1) -> changed = 0
        :: else -> skip
        fi }

    /* The leader finds the fence in effect, by what it was told or because it has waited itself. */
    :: d_step { leads && !effect && fence != 0 && com >= fence && com >= own && (fence >= own -> WAITED : VOUCHES) ->
        effect = true; printf("@ in effect\n");
        /* What nothing depends on any more. */
        leads = false; own = 0; com = 0; changes = 0; changed = T; settled = T; leaders = LEADERS;
#if CRASHES > 0
        x = 0; do :: x < N -> h[x] = T; x++ :: else -> break od; x = 0;
#endif
        check(); sort() }

    /* Time passes. */
    :: d_step { printf("@ tick\n");
        x = 0;
        do
        :: x < N -> age(h[x]);
#if CRASHES > 0
            age(v[x]);
#endif
#ifdef F2A
            age(tells[x]);
#endif
            if :: v[x] == T -> a[x] = 0 :: else -> skip fi;
            x++
        :: else -> break
        od;
        x = 0;
#ifdef RECOVER
        age(since);
#endif
        if
        :: com >= own -> age(changed); age(settled)
        :: else -> skip
        fi;
        sort() }
    od
}
