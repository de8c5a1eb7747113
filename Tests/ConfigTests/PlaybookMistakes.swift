let playbookCalendarMistakes = [
    PlaybookMistake(
        "cron=\"30 2 * * tue\"", "cron=\"30 2 * tue\"",
        "4: <schedule> cron=\"30 2 * tue\" has 4 fields; a cron line has five: minute, hour, day of the month, "
            + "month, day of the week"),
    PlaybookMistake(
        "cron=\"30 2 * * tue\"", "at=\"2026-02-30T02:00:00\"",
        "4: <schedule> at=\"2026-02-30T02:00:00\" is an impossible date; the calendar has no such day"),
    PlaybookMistake(
        "cron=\"30 2 * * tue\"", "at=\"2026-11-24T24:00:00\"",
        "4: <schedule> at=\"2026-11-24T24:00:00\" is an impossible time of day"),
    PlaybookMistake(
        "cron=\"30 2 * * tue\"", "at=\"2026-11-24 02:00\"",
        "4: <schedule> at=\"2026-11-24 02:00\" is no local time like 2026-11-24T02:00:00"),
    PlaybookMistake(
        "cron=\"30 2 * * tue\"", "at=\"2027-03-28T02:30:00\"",
        "4: <schedule> at=\"2027-03-28T02:30:00\" does not exist in Berlin: the clocks go on to "
            + "2027-03-28 03:00 CEST there"),
    PlaybookMistake(
        "cron=\"30 2 * * tue\"", "at=\"2026-11-24T06:00:00\"",
        "5: the one due time, 2026-11-24 06:00 CET, lies outside the window, 02:00 to 05:00 on mon tue wed "
            + "(Berlin)"),
    PlaybookMistake(
        "cron=\"30 2 * * tue\"", "at=\"2026-11-24T04:59:00\"",
        "5: of the window 1m are left at the due time, but the steps need at least 3m30s"),
    PlaybookMistake(
        "cron=\"30 2 * * tue\"", "cron=\"30 2 * * tue\" at=\"2026-11-24T02:00\"",
        "4: <schedule> needs cron= or at=, one of them"),
    PlaybookMistake(
        "<schedule cron=\"30 2 * * tue\" zone=\"Berlin\"/>", "<schedule cron=\"30 2 * * tue\"/>",
        "4: <schedule> needs the attribute \"zone\""),
    PlaybookMistake(
        "<schedule cron=\"30 2 * * tue\" zone=\"Berlin\"/>", "<schedule cron=\"0 2 * * *\" zone=\"Bärlin\"/>",
        "4: <schedule> zone=\"Bärlin\" is no name of a time zone, like Europe/Berlin or UTC"),
    PlaybookMistake(
        "days=\"mon-wed\" zone=\"Berlin\"", "days=\"mon-wed\" zone=\"Berlni\"",
        "5: <window> zone=\"Berlni\" is an unknown time zone; did you mean Berlin?"),
    PlaybookMistake(
        "from=\"02:00\"", "from=\"2:00\"", "5: <window> from=\"2:00\" is no time of day like 02:30"),
    PlaybookMistake(
        "to=\"05:00\"", "to=\"02:00\"",
        "5: <window> to=\"02:00\" is when the window begins; from 00:00 to 24:00 is the whole day"),
    PlaybookMistake(
        "to=\"05:00\"", "to=\"02:03\"",
        "5: <window> is 3m long, but the steps need at least 3m30s; no run could end in it",
        "5: no due time of \"30 2 * * tue\" lies in the window, 02:00 to 02:03 on mon tue wed (Berlin); no run "
            + "would ever start"),
    PlaybookMistake(
        "days=\"mon-wed\"", "days=\"thu,fri\"",
        "5: no due time of \"30 2 * * tue\" lies in the window, 02:00 to 05:00 on thu fri (Berlin); no run "
            + "would ever start"),
    PlaybookMistake(
        "days=\"mon-wed\"", "days=\"workdays\"",
        "5: <window> days=\"workdays\" is no list of days; write mon-fri, or sat sun"),
    PlaybookMistake(
        "slaves-below=\"1\"", "slaves-below=\"0\"",
        "6: <abort-if> slaves-below=\"0\" must be a whole number between 1 and 64"),
    PlaybookMistake(
        "node-fails=\"yes\"", "node-fails=\"true\"",
        "6: <abort-if> node-fails=\"true\" must be \"yes\" or \"no\""),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<wait for=\"1m\"/><window from=\"01:00\" to=\"02:00\" zone=\"UTC\"/>",
        "27: <window> stands before all steps; there is one in line 7",
        "27: <window> stands here a second time, after line 5"),
]

let playbookStepMistakes = [
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<wait for=\"1\"/>",
        "27: <wait> for=\"1\" has no unit; the units are us, ms, s, m, h, d"),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<wait for=\"1m\" timeout=\"30s\"/>",
        "27: <wait> timeout=\"30s\" must be longer than for=1m"),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<wait for=\"8d\"/>", "27: <wait> for=\"8d\" must lie between 1s and 7d"),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<wait for=\"1m\">then</wait>", "27: text is not expected inside <wait>"),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<include href=\"p.xml\"/>",
        "27: unknown step <include> in <playbook>; the steps are: drain, undrain, switchover, lower-ttl, wait, "
            + "run, check, notify, approve, for-each, fail"),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<drain target=\"fs9\"/>",
        "27: <drain> target=\"fs9\" is an unknown seat or node; the seats are master1, master2; the nodes are "
            + "fs1, fs2, fs3, fs4"),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<drain target=\"dns1\"/>",
        "27: <drain> target=\"dns1\" is a witness, which holds no seat and runs no programs"),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<drain target=\"fs1\" on-deadline=\"hangup\"/>",
        "27: <drain> on-deadline=\"hangup\" needs a deadline=, for example deadline=\"45m\""),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<drain target=\"fs1\" deadline=\"1h\" timeout=\"10m\"/>",
        "27: <drain> timeout=\"10m\" must be longer than deadline=1h, or the step fails before it"),
    PlaybookMistake(
        "headroom=\"2\"", "headroom=\"3\"",
        "7: <check> headroom=\"3\" is more slaves than there can be: 4 nodes with 2 seats leave 2"),
    PlaybookMistake(
        "slaves-below=\"1\"", "slaves-below=\"3\"",
        "6: <abort-if> slaves-below=\"3\" is more slaves than there can be: 4 nodes with 2 seats leave 2"),
    PlaybookMistake(
        "<undrain node=\"${node}\"/>", "<undrain node=\"master1\"/>",
        "17: <undrain> node=\"master1\" is an unknown node; the nodes are fs1, fs2, fs3, fs4"),
    PlaybookMistake(
        "over=\"nodes\"", "over=\"seats\"",
        "11: <run> node=\"${item}\" is an unknown node; the nodes are fs1, fs2, fs3, fs4 for the item "
            + "\"master1\""),
    PlaybookMistake(
        "over=\"fs4 fs2\"", "over=\"fs4 fs7 fs4\"",
        "31: <for-each> over=\"fs4 fs7 fs4\": \"fs4\" stands there twice",
        "31: <for-each> over=\"fs4 fs7 fs4\": \"fs7\" is an unknown seat or node; the seats are master1, "
            + "master2; the nodes are fs1, fs2, fs3, fs4"),
    PlaybookMistake(
        "over=\"fs4 fs2\"", "over=\" \"",
        "31: <for-each> over=\" \" must be seats, nodes, or 1 to 64 names of either with blanks between"),
    PlaybookMistake(
        "<wait for=\"1m\"/>", "<undrain node=\"${item}\"/>",
        "27: <undrain> node=\"${item}\" means the item of a <for-each>, and there is none about it"),
    PlaybookMistake(
        "<check headroom=\"2\" timeout=\"1m\" interval=\"2s\"/>", "<undrain node=\"${node}\"/>",
        "7: <undrain> node=\"${node}\" means the node a drain put into maintenance, and no <drain> comes "
            + "before it"),
    PlaybookMistake(
        "pause=\"30s\"", "pause=\"${item}\"",
        "9: <for-each> pause=\"${item}\" must be known before a run; ${item} and ${node} are known only to one"
    ),
    PlaybookMistake(
        "program=\"/usr/bin/systemctl\"", "program=\"/usr/bin/../sh\"",
        "11: <run> program=\"/usr/bin/../sh\" is no plain path of at most 1024 bytes"),
    PlaybookMistake(
        "name=\"LANG\"", "name=\"FSDNS_RUN\"",
        "14: <environment> name=\"FSDNS_RUN\" begins with FSDNS_, as only what the run itself tells does"),
    PlaybookMistake(
        "name=\"LANG\"", "name=\"1st\"",
        "14: <environment> name=\"1st\" is no name of a variable; those are letters, digits and _"),
    PlaybookMistake(
        "<undo><run node=\"${node}\" program=\"/bin/true\"/></undo>", "<undo/>", "15: <undo> needs a <run>"),
    PlaybookMistake(
        "<undo><run node=\"${node}\" program=\"/bin/true\"/></undo>", "<undo><wait for=\"1s\"/></undo>",
        "15: <undo> needs a <run>", "15: unknown element <wait> in <undo>; it may hold: run"),
    PlaybookMistake(
        "options=\"alpha\"", "options=\"omega:5080\"",
        "19: <check> options=\"omega:5080\" is an unknown address; the addresses are alpha, beta, delta"),
    PlaybookMistake(
        "options=\"alpha\"", "options=\"alpha:0\"",
        "19: <check> options=\"alpha:0\" needs a port, like alpha:5060"),
    PlaybookMistake(
        "<check options=\"alpha\"/>", "<check options=\"alpha\" dns=\"converged\"/>",
        "19: <check> needs one of options=, tcp=, http=, calls-below=, registrations=, dns=, headroom= or a "
            + "<run>; it has options and dns"),
    PlaybookMistake(
        "<check options=\"alpha\"/>", "<check/>",
        "19: <check> needs one of options=, tcp=, http=, calls-below=, registrations=, dns=, headroom= or a "
            + "<run>"),
    PlaybookMistake(
        "<check options=\"alpha\"/>", "<check options=\"alpha\" status=\"200\"/>",
        "19: <check> status= belongs to http="),
    PlaybookMistake(
        "http=\"http://10.77.0.1/health\"", "http=\"https://10.77.0.1/health\"",
        "21: <check> http=\"https://10.77.0.1/health\" is https, which is not spoken here; use a <run> of curl "
            + "instead"),
    PlaybookMistake(
        "webhook=\"http://10.77.0.9/done\"", "webhook=\"10.77.0.9/done\"",
        "28: <notify> webhook=\"10.77.0.9/done\" is no plain URL like http://10.0.0.1:8080/health"),
    PlaybookMistake(
        "<notify webhook=\"http://10.77.0.9/done\"/>", "<notify/>",
        "28: <notify> needs webhook= or a <run>, one of them"),
    PlaybookMistake(
        "<lower-ttl to=\"5s\"/>", "<lower-ttl to=\"1500ms\"/>",
        "8: <lower-ttl> to=\"1500ms\" must be whole seconds, as DNS counts them"),
    PlaybookMistake(
        "<lower-ttl to=\"5s\"/>", "<lower-ttl to=\"5s\" timeout=\"50s\"/>",
        "8: <lower-ttl> waits until the zone's TTL of 1m is forgotten; its timeout=50s must be longer"),
    PlaybookMistake("<approve ask=\"Fine?\"/>", "<approve ask=\" \"/>", "30: <approve> ask=\" \" is empty"),
]

let playbookParameterMistakes = [
    PlaybookMistake(
        "reason=\"${what}\"", "reason=\"${wat}\"",
        "10: <drain> reason=\"${wat}\" has the unknown parameter \"wat\"; known: unit, what, item, node"),
    PlaybookMistake(
        "reason=\"${what}\"", "reason=\"${what\"",
        "10: <drain> reason=\"${what\" has a ${ that is not followed by a name and }"),
    PlaybookMistake(
        "<argument>${unit}</argument>", "<argument>${unti}</argument>",
        "13: the text of <argument>, \"${unti}\", has the unknown parameter \"unti\"; known: unit, what, item, "
            + "node"),
    PlaybookMistake(
        "name=\"what\" default=\"FreeSWITCH\"", "name=\"what\"",
        "2: parameter \"what\" needs default= or required=\"yes\""),
    PlaybookMistake(
        "name=\"what\" default=\"FreeSWITCH\"", "name=\"what\" default=\"x\" required=\"yes\"",
        "2: parameter \"what\" needs default= or required=\"yes\", not both"),
    PlaybookMistake(
        "<parameter name=\"what\" default=\"FreeSWITCH\"/>",
        "<parameter name=\"what\" default=\"FreeSWITCH\"/><parameter name=\"what\" default=\"x\"/>",
        "2: parameter \"what\" is there already, in line 2"),
    PlaybookMistake(
        "<parameter name=\"what\" default=\"FreeSWITCH\"/>",
        "<parameter name=\"what\" default=\"FreeSWITCH\"/><parameter name=\"node\" default=\"x\"/>",
        "2: <parameter> name=\"node\" is taken: ${node} is known only to a run"),
    PlaybookMistake(
        "default=\"FreeSWITCH\"", "default=\"FreeSWITCH\" colour=\"blue\"",
        "2: unknown attribute \"colour\" on <parameter>; it may carry: name, default, required, summary"),
]
