#!/bin/bash
#
# demo.sh: show the installed extension at work, in a throw-away cluster.
#
# Usage: scripts/demo.sh               who sees and does what in one inbox, and why
#        scripts/demo.sh psql [NAME]   psql in the same cluster, as that member
#
# All numbers are what the queries return.  They are compared with each other and
# with conditions written by hand; if one is not as it should be, the exit status
# is 1.  What is loaded and asked is in demo/.  Where psql does not read from a
# terminal it prints results only, and stops at the first error with status 3.
#
set -euo pipefail

cd "$(dirname "$0")/.."
cluster=scripts/cluster.sh

# A session that takes longer than this many seconds is stuck.
patience=30

dir=            # the cluster's folder
child=          # the psql that the reader types into, if any
headings=0
held=0          # expectations that held
broken=0        # and that did not

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

clean_up()
{
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
        kill "$child" || true
        wait "$child" || true
    fi
    # A server or initdb that the same signal has just ended may still be at its files.
    [ -z "$dir" ] || "$cluster" drop "$dir" || { sleep 1; "$cluster" drop "$dir"; }
} 2>/dev/null
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

fail()
{
    echo "demo.sh: $*" >&2
    exit 1
}

heading()
{
    headings=$((headings + 1))
    printf '\n%s%s. %s%s\n\n' "$bold" $headings "$1" "$plain"
}

indent()
{
    sed 's/ *$//; s/^/    /'
}

show_query()
{
    sed "s/^/    $dim/; s/\$/$plain/" "$1"
    echo
}

# Compare two values: expect WHAT VALUE OPERATOR VALUE, with an operator of test.
expect()
{
    if test "$2" "$3" "$4"; then
        held=$((held + 1))
    else
        broken=$((broken + 1))
        echo "demo.sh: does not hold: $1 ($2 $3 $4)" >&2
    fi
}

# Run SQL from standard input: sql [PSQL-OPTION]...  As superuser, unless -U says
# otherwise; bare rows, columns separated by "|".
sql()
{
    "$cluster" run "$dir" psql -XqAt -v ON_ERROR_STOP=1 -f - "$@"
}

# The same as the application does it for a member: as IDENTITY [PSQL-OPTION]...
as()
{
    { echo "SET chat_rbac.identity = '$1';"; cat; } | sql -U inbox_app "${@:2}"
}

identity_of()
{
    sql -v name="$1" <<<"SELECT org_id || '/' || member_id FROM chat_rbac.member WHERE lower(name) = lower(:'name')"
}

# Make the cluster, with the lines given for its configuration, and load demo/.
load()
{
    local messages

    dir=$("$cluster" new)
    "$cluster" start "$dir" "$@"
    messages=$({ echo 'CREATE EXTENSION chat_rbac;'; cat demo/[1-9]_*.sql; } | sql -o /dev/null 2>&1) ||
        fail "cannot load demo/"$'\n'"$messages"
    [ -z "$messages" ] || fail "loading demo/ should say nothing"$'\n'"$messages"
}

show_org()
{
    local tree chain

    tree=$(sql -v org=1 <demo/tree.sql)
    chain=$(sql <demo/roles.sql)
    heading "The org \"acme\": its units, and who holds which role where"
    indent <<<"$tree"
    echo
    echo "    A role counts at its unit and in all below.  Roles inherit: $chain."
}

# A line of the tables of counts; the counts as "1|2|3|4".
count_row()
{
    local chats messages customers tasks

    IFS='|' read -r chats messages customers tasks <<<"$2"
    printf '    %-40s%9s%11s%12s%9s\n' "$1" "$chats" "$messages" "$customers" "$tasks"
}

count_head()
{
    echo "$bold$(count_row "$1" 'chats|messages|customers|tasks')$plain"
}

show_people()
{
    local by_hand all_of_acme person identity role where what counts east west

    by_hand=$(sql <demo/by_hand.sql)
    all_of_acme=$(sed 's/)  *AS/ WHERE org_id = 1) AS/' demo/count.sql | sql)

    heading "The same SELECT, asked by ${#people[@]} people"
    echo "    The application uses the database role inbox_app, and says for whom it asks, here Ali:"
    echo
    echo "    ${dim}SET chat_rbac.identity = '$(identity_of Ali)';$plain"
    show_query demo/count.sql
    count_head ''
    for person in "${people[@]}"; do
        IFS='|' read -r person identity role where what <<<"$person"
        counts=$(as "$identity" <demo/count.sql)
        count_row "$person, $where" "$counts"
        echo "      $what"

        expect "by hand, $person's rows are these" "$(grep "^$person|" <<<"$by_hand")" = "$person|$counts"
        case $role in
            Admin) expect "an admin sees all of the org" "$counts" = "$all_of_acme" ;;
            Finance) expect "finance sees no chats" "${counts%%|*}" -eq 0 ;;
            *) expect "$person sees some of the chats" "${counts%%|*}" -gt 0
               expect "$person does not see all of the chats" "${counts%%|*}" -lt "${all_of_acme%%|*}" ;;
        esac
    done

    east=$(as "$(identity_of Max)" <demo/count.sql)
    west=$(as "$(identity_of Mona)" <demo/count.sql)
    expect "the managers of the two regions see all chats between them" \
        $((${east%%|*} + ${west%%|*})) -eq "${all_of_acme%%|*}"
}

show_newest()
{
    local person identity role where newest seen=()

    heading "The same query, asked by a supervisor and by an intern"
    echo "    inbox.chat is a view of these tables with names for ids, and runs with the asker's rights."
    echo
    show_query demo/newest.sql
    for person in "${people[@]}"; do
        IFS='|' read -r person identity role where _ <<<"$person"
        case $role in Supervisor | Temp) ;; *) continue ;; esac
        newest=$(as "$identity" -P format=aligned -P tuples_only=off -P footer=off -P null=- <demo/newest.sql)
        seen+=("$newest")
        echo "    $bold$person, $where$plain"
        indent <<<"$newest"
        [ ${#seen[@]} = 2 ] || echo
    done
    expect "the two do not see the same" "${seen[0]}" != "${seen[1]}"
    expect "both see five chats" "$(wc -l <<<"${seen[0]}") $(wc -l <<<"${seen[1]}")" = '7 7'
}

show_outsiders()
{
    local gus ada own foreign nobody report refusal
    local none='0|0|0|0'

    gus=$(identity_of Gus)
    ada=$(identity_of Ada)
    own=$(as "$gus" <demo/count.sql)
    foreign=$(sed 's/)  *AS/ WHERE org_id = 1) AS/' demo/count.sql | as "$gus")
    nobody=$(sql -U inbox_app <demo/count.sql)
    report=$(sql -U inbox_report <demo/count.sql)
    refusal=$(sql -U inbox_report 2>&1 <<<"SET chat_rbac.identity = '$ada'" || true)

    heading "Outsiders"
    count_head ''
    count_row 'Gus, Admin of the org "globex"' "$own"
    count_row '  the same, WHERE org_id = 1 (acme)' "$foreign"
    count_row 'inbox_app, for nobody' "$nobody"
    count_row 'inbox_report, another database role' "$report"
    echo
    echo "    And if inbox_report said that it asks for Ada?  ${dim}SET chat_rbac.identity = '$ada';$plain"
    echo "    ${refusal#psql:*: }"

    expect "the admin of globex sees all of globex" \
        "$(sed 's/)  *AS/ WHERE org_id = 2) AS/' demo/count.sql | sql)" = "$own"
    expect "the admin of globex sees nothing of acme" "$foreign" = "$none"
    expect "without identity nothing is seen" "$nobody" = "$none"
    expect "another database role sees nothing" "$report" = "$none"
    expect "another database role cannot claim an identity" "${refusal/permission denied/}" != "$refusal"
}

# The two sessions of a timeline.  Session A stays open, and what it answered last
# is in $answer; session B is a new one for each statement.
left()
{
    printf '    %s\n' "$1"
}

right()
{
    local line

    while IFS= read -r line; do
        printf '    %-46s%s\n' '' "$line"
    done <<<"$1"
}

open_sessions()
{
    printf '%s    %-46s%s%s\n\n' "$bold" "Session A: $1" "Session B: $2" "$plain"
    coproc session_a { exec "$cluster" run "$dir" psql -XqAt -v ON_ERROR_STOP=1 -v VERBOSITY=terse "${@:3}" 2>&1; }
}

ask_a()
{
    local line

    printf '%s\n\\echo end of answer\n' "$1" >&"${session_a[1]}"
    answer=
    while IFS= read -r -t $patience line <&"${session_a[0]}"; do
        [ "$line" != 'end of answer' ] || return 0
        answer+=$line
    done
    fail "session A: ${answer:-no answer}"
}

count_a()
{
    local count='SELECT count(*) FROM inbox.conversation;'

    ask_a "$count"
    left "$count"
    left "    => $bold$answer$plain${1:-}"
}

# Run and show a statement: run_b STATEMENT [COMMAND [ARG]...], where the command is sql or as.
run_b()
{
    local command=("${@:2}")

    right "$1"
    "${command[@]:-sql}" -o /dev/null <<<"$1"
    right '    => committed'
}

close_sessions()
{
    local input=${session_a[1]} process=${session_a_PID:?}

    exec {input}>&-
    wait "$process"
}

# Who is asking, when the application's word does not count: a token says so.
show_tokens()
{
    local identity ali count token said forged cause statement answer answers=()

    identity=$(identity_of Ali)
    ali=${identity#*/}
    count=$(as "$identity" <<<'SELECT count(*) FROM inbox.conversation')

    heading "Who is asking"
    echo "    inbox_app is trusted to say for whom it asks.  inbox_web is another application, and is not:"
    echo "    it shows a token, signed for Ali by a service whose only right is to sign people in."
    echo
    token=$(sql -U inbox_sign_in <<<"SELECT chat_rbac.issue_token($ali, '15 minutes')")
    IFS='|' read -r said forged < <(sql -v token="$token" <demo/forged.sql)
    echo "    ${bold}inbox_sign_in, for the member Sign-in$plain"
    echo "        ${dim}SELECT chat_rbac.issue_token($ali, '15 minutes');$plain"
    echo "        => $bold${token:0:40}…$plain"
    echo "           which says $said"
    expect "the token is Ali's" "${said/\"org\":1,\"sub\":\"$ali\"/}" != "$said"

    echo
    echo "    ${bold}inbox_web, on one connection$plain"
    converse sql -U inbox_web -v token="$token" -v forged="$forged" <demo/tokens.sql
    cause=$(grep -o '"message":"token: [^"]*"' "$dir/server.log" | tail -n 1 || true)
    echo
    echo "    The server's log says why the forged one is refused: $bold${cause#*:}$plain"
    expect "inbox_web cannot claim an identity" "${answers[0]/permission denied/}" != "${answers[0]}"
    expect "to the database the token is Ali's" "${answers[3]}" = 'Ali | chat_rbac.token'
    expect "with the token Ali's chats are seen" "${answers[4]}" = "$count"
    expect "a forged token is refused" "${answers[8]/chat_rbac.token is not valid/}" != "${answers[8]}"
    expect "because of its signature" "$cause" = '"message":"token: signature does not verify"'
    expect "a plain SET is done" "${answers[10]}" = SET
    expect "it does not reach the next transaction" "${answers[11]}" = 0
    expect "which is nobody's" "${answers[12]}" = '- | login inbox_web; chat_rbac.token is of an earlier transaction'
    expect "where an identity lasts as long as the session, it reaches it" "$(sql -U inbox_app -v token="$token" \
        <<<"SET chat_rbac.token = :'token'; SELECT count(*) FROM inbox.conversation")" = "$count"

    echo
    open_sessions "inbox_web, with Ali's token" "inbox_app, for Ada" -U inbox_web -v ON_ERROR_STOP=0 -v token="$token"
    for statement in 'BEGIN;' "SELECT set_config('chat_rbac.token', :'token', true);"; do
        ask_a "$statement"
        left "$statement"
    done
    count_a
    expect "Ali sees his chats" "$answer" = "$count"
    run_b "SELECT chat_rbac.revoke_tokens($ali);" as "$(identity_of Ada)"
    count_a
    expect "a revoked token is refused, also in the open transaction" "${answer/chat_rbac.token is not valid/}" != "$answer"
    close_sessions

    token=$(sql -U inbox_sign_in <<<"SELECT chat_rbac.issue_token($ali)")
    expect "who signs in again sees them again" "$(sql -U inbox_web -v token="$token" \
        <<<"BEGIN; SET LOCAL chat_rbac.token = :'token'; SELECT count(*) FROM inbox.conversation")" = "$count"
}

# The roles that a member of acme holds now.
grants_of()
{
    sql -v name="$1" <<<"SELECT string_agg(format('%s at %s', role, regexp_replace(unit, '.* / ', '')), ', ' ORDER BY grant_id)
        FROM chat_rbac.grants WHERE org = 'acme' AND member = :'name' AND state = 'in force'"
}

# What a person of demo/why.sql is, as "name|identity|role|where|what".
person()
{
    printf '%s\n' "${people[@]}" | grep "^$1|"
}

show_buttons()
{
    local name identity where chats page pages=

    heading "Which buttons to show on a page of chats"
    echo "    page_actions() answers for many rows at once what each of them allows."
    echo
    sed "s/:chats/$queue,$own,$joined/" demo/buttons.sql | show_query -
    for name in Ali Ina; do
        chats="$queue,$own,$joined"
        [ "$name" != Ina ] || chats=$inas
        IFS='|' read -r _ identity _ where _ <<<"$(person "$name")"
        page=$(sed "s/:chats/$chats/" demo/buttons.sql |
            as "$identity" -P format=aligned -P tuples_only=off -P footer=off -P null=-)
        pages+=$page$'\n'
        echo "    $bold$name, $where$plain"
        indent <<<"$page"
        [ "$name" = Ina ] || echo
    done

    expect "a chat in the queue can be claimed" "$(grep -c "^ *$queue .*| claim$" <<<"$pages")" -eq 1
    expect "with an own chat one can do more" "$(grep -c "^ *$own .*| reply note assign transfer snooze close$" <<<"$pages")" -eq 1
    expect "in a joined chat one can write" "$(grep -c "^ *$joined .*| reply note$" <<<"$pages")" -eq 1
    expect "an intern can only look" "$(grep -c "^ *$inas .*| $" <<<"$pages")" -eq 1
}

# Run the statements on standard input in one session, and show each with what it
# answers: converse COMMAND [ARG]..., where the command is sql or as.  Sets $answers.
converse()
{
    local statements statement output answer

    mapfile -d ';' -t statements
    unset 'statements[-1]'      # the end of the line after the last semicolon
    output=$({
        echo '\set QUIET off'
        printf '\\echo @@@@\n%s;\n' "${statements[@]}"
    } | "$@" -F ' | ' -P null=- -v ON_ERROR_STOP=0 -v SHOW_CONTEXT=never 2>&1)$'\n'
    answers=()
    for statement in "${statements[@]}"; do
        output=${output#*@@@@$'\n'}
        answer=$(sed '/^$/d; s/^psql:[^ ]* //' <<<"${output%%@@@@*}")
        answers+=("$answer")
        sed "s/^-- /    /; t; s/^/        $dim/; s/\$/$plain/" <<<"${statement#$'\n'};"
        [ "$answer;" != "${statement##*$'\n'};" ] || continue     # as for BEGIN
        sed "1s/^/        => $bold/; 1!s/^/           $bold/; s/\$/$plain/" <<<"${answer:-(no rows)}"
    done
}

show_writing()
{
    local identity where answers=()

    heading "Plain UPDATE and INSERT, and each change needs its own right"
    IFS='|' read -r _ identity _ where _ <<<"$(person Ali)"
    echo "    ${bold}Ali, $where$plain"
    converse as "$identity" < <(sed "s/:chat/$queue/" demo/serve.sql)
    expect "Ali claims a chat" "${answers[0]}" = 'UPDATE 1'
    expect "Ali replies" "${answers[1]}" = 'INSERT 0 1'
    expect "Ali sees the chat that he transfers" "${answers[2]}" = "$queue | 5 | -"$'\n''UPDATE 1'
    expect "Ali does not see it in the next statement" "${answers[3]}" = ''
    expect "it is in Tier 2's queue" "$(as "$(identity_of Dan)" \
        <<<"SELECT count(*) FROM inbox.conversation WHERE id = $queue AND team_id = 5 AND assignee_id IS NULL")" -eq 1
    expect "the message is Ali's" "$(sql <<<"SELECT count(*) FROM inbox.message
        WHERE org_id = 1 AND conversation_id = $queue AND author_id = 6 AND kind = 'reply'")" -eq 1

    echo
    IFS='|' read -r _ identity _ where _ <<<"$(person Sam)"
    echo "    ${bold}Sam, $where$plain"
    converse as "$identity" <<END
-- is refused a transfer of an own chat:
UPDATE inbox.conversation SET team_id = 9 WHERE id = $sams;
END
    expect "Sam is refused a transfer" "${answers[0]/\"conversation.transfer\"/}" != "${answers[0]}"

    echo
    IFS='|' read -r _ identity _ where _ <<<"$(person Ina)"
    echo "    ${bold}Ina, $where$plain"
    converse as "$identity" <<END
-- is refused a reply in an own chat:
INSERT INTO inbox.message (conversation_id, kind, body) VALUES ($inas, 'reply', 'Hello!');
END
    expect "Ina is refused a reply" "${answers[0]/\"conversation.reply\"/}" != "${answers[0]}"
    expect "nothing is left of what these two tried" "$(sql <<<"SELECT
        (SELECT count(*) FROM inbox.conversation WHERE org_id = 1 AND id = $sams AND team_id = 9) +
        (SELECT count(*) FROM inbox.message WHERE org_id = 1 AND conversation_id = $inas AND body = 'Hello!')")" -eq 0
}

show_trail()
{
    local name identity where query told seen all digest found

    query="SELECT who, did, what, changes FROM chat_rbac.activity
  ORDER BY at DESC LIMIT 3;"

    heading "Who did what: the audit trail"
    echo "    Each change is recorded with it, under the name of the right that it needed.  Sue, who"
    echo "    supervises Tier 1, sees what Ali did there:"
    echo
    show_query - <<<"$query"
    told=$(as "$(identity_of Sue)" -P format=aligned -P tuples_only=off -P footer=off <<<"$query")
    indent <<<"$told"
    expect "Sue sees the claim" "$(grep -c "^ *Ali *| claimed *| conversation $queue .*| assignee_id: null -> 6 *$" <<<"$told")" -eq 1
    expect "Sue sees the transfer" "$(grep -c "^ *Ali *| .*transferred.*| conversation $queue .*team_id: . -> 5" <<<"$told")" -eq 1

    echo
    echo "    How many events each of them sees:"
    all=$(sql <<<"SELECT count(*) FROM chat_rbac.audit_event WHERE org_id = 1")
    for name in Ada Sue Ali Ina Gus; do
        identity=$(identity_of $name)
        where=$(person $name | cut -d"|" -f4 || echo "Admin of globex")
        seen=$(as "$identity" <<<"SELECT count(*) FROM chat_rbac.audit_event WHERE org_id = 1")
        printf '        %-40s %6s\n' "$name${where:+, $where}" "$seen"
        case $name in
            Ada) expect "Ada sees all of her org" "$seen" -eq "$all" ;;
            Sue) expect "Sue sees some of them" "$seen" -lt "$all" ;;
            Ali) expect "Ali sees his own" "$seen" -eq "$(sql <<<"SELECT count(*) FROM chat_rbac.audit_event WHERE (actor_org_id, actor_id) = (1, 6)")" ;;
            *) expect "$name sees none" "$seen" -eq 0 ;;
        esac
    done

    echo
    echo "    Sealed, the trail shows what a superuser does to it:"
    echo
    digest=$(sql <<<'SELECT chat_rbac.audit_seal()')
    echo "        ${dim}SELECT chat_rbac.audit_seal();$plain"
    echo "        => $bold${digest:0:40}…${digest#*sha256:????????????????????????????????????????????????????????????????}$plain"
    expect "nothing is wrong with it" "$(sql -v digest="$digest" <<<"SELECT count(*) FROM chat_rbac.audit_verify(:'digest')")" -eq 0
    echo "        ${dim}UPDATE chat_rbac.audit_event SET actor_name = 'Ben' WHERE row_key = '$queue' AND actions @> '{conversation.claim}';$plain"
    sql -o /dev/null <<<"UPDATE chat_rbac.audit_event SET actor_name = 'Ben' WHERE row_key = '$queue' AND actions @> '{conversation.claim}'"
    echo "        ${dim}SELECT block_no, event_id, problem FROM chat_rbac.audit_verify();$plain"
    found=$(sql -F ' | ' <<<'SELECT block_no, event_id, problem FROM chat_rbac.audit_verify()')
    echo "        => $bold$found$plain"
    expect "that event is named" "$(grep -c '| changed event$' <<<"$found")" -eq 1
}

show_revocation()
{
    local identity before after again snapshot

    identity=$(identity_of Ali)

    heading "A role revoked under an open transaction"
    open_sessions "inbox_app, for Ali" "a DBA" -U inbox_app
    ask_a "SET chat_rbac.identity = '$identity';"
    ask_a 'BEGIN ISOLATION LEVEL REPEATABLE READ;'
    left 'BEGIN ISOLATION LEVEL REPEATABLE READ;'
    count_a
    before=$answer
    ask_a 'SELECT pg_current_snapshot();'
    snapshot=$answer

    run_b "SELECT chat_rbac.revoke_role(
    'acme', 'Ali', 'Agent', 'Tier 1');"
    count_a '     in the same snapshot'
    after=$answer

    run_b "SELECT chat_rbac.grant_role(
    'acme', 'Ali', 'Agent', 'Tier 1');"
    count_a
    again=$answer
    ask_a 'SELECT pg_current_snapshot();'

    expect "all of it was in one snapshot" "$answer" = "$snapshot"
    expect "Ali sees chats" "$before" -gt 0
    expect "Ali sees none without the role" "$after" -eq 0
    expect "Ali sees the same ones with the role again" "$again" -eq "$before"
    close_sessions
}

# Show why a member may see a chat or not, as Ada is told: explain NAME CHAT QUESTION.
# Sets $reasons.
explain()
{
    local member query

    member=$(identity_of "$1")
    query=$(sed "s/:member/${member#*/}/; s/:chat/$2/" demo/explain.sql)
    reasons=$(as "$(identity_of Ada)" -P format=aligned -P tuples_only=off -P footer=off <<<"$query")
    echo
    echo "    $bold$3$plain"
    show_query - <<<"$query"
    indent <<<"$reasons"
}

show_reasons()
{
    local reasons told seen

    explain Ben "$own" "Ada asks why Ben can't see conversation $own, which is Ali's"
    expect "the answer is no" "$(grep -c '^ denied .* Ben may not see this row' <<<"$reasons")" -eq 1
    expect "his grant at Tier 1 lacks that it is his" "$(grep -c '^ lacking .* conversation.view@own .* relation own does not hold$' <<<"$reasons")" -eq 1
    expect "his grant at Tier 2 is elsewhere" "$(grep -c 'granted at unit Tier 2, row is at Tier 1 ' <<<"$reasons")" -eq 3
    explain Ina "$inas" "And why Ina can't see conversation $inas, which is hers"
    expect "her grant has ended" "$(grep -c '^ lacking .* conversation.view@own .* grant ended 20' <<<"$reasons")" -eq 1

    told=$(as "$(identity_of Ada)" <<<"SELECT m.member_id, e.verdict
        FROM chat_rbac.member m, chat_rbac.explain_access(m.member_id, 'conversation.view', 'inbox.conversation', $own) AS e
        WHERE e.verdict IN ('allowed', 'denied') ORDER BY m.member_id")
    seen=$(sql <<<"SELECT format('SET chat_rbac.identity = %L; SELECT %s, CASE count(*) WHEN 1 THEN ''allowed'' ELSE ''denied'' END
        FROM inbox.conversation WHERE id = $own;', '1/' || member_id, member_id)
        FROM chat_rbac.member WHERE org_id = 1 ORDER BY member_id" | sql -U inbox_app)
    expect "each member's own session is of the same opinion" "$told" = "$seen"
    expect "some may see it, and some may not" "$(cut -d'|' -f2 <<<"$told" | sort -u | wc -l)" -eq 2
}

# What admins of the org change by the application's role, by plain SQL.
show_administration()
{
    local identity where before late answer answers=()

    heading "Administration"
    echo "    Members administer their org by the same role, inbox_app.  Each change needs its own right,"
    echo "    where it takes place, and nobody gives what they do not hold there themselves."
    echo
    IFS='|' read -r _ identity _ where _ <<<"$(person Ada)"
    echo "    ${bold}Ada, $where$plain"
    converse as "$identity" <demo/delegate.sql
    expect "Ada makes a role" "${answers[0]}" = 'INSERT 0 1'
    expect "Ada lets Sue give roles" "$(grants_of Sue)" = 'Supervisor at Support EMEA, Team lead at Support EMEA'
    expect "Ada is refused what only an owner holds" "${answers[2]/permission \"\*.\*\" is needed/}" != "${answers[2]}"

    echo
    IFS='|' read -r _ identity _ where _ <<<"$(person Sue)"
    before=$(as "$(identity_of Ben)" <<<'SELECT count(*) FROM inbox.conversation WHERE team_id = 5')
    echo "    ${bold}Sue, $where, now Team lead there too$plain"
    converse as "$identity" <demo/lead.sql
    expect "Ben was not in Tier 2" "$before" -eq 0
    expect "Ben is in Tier 2 for today" "$(grants_of Ben)" = 'Agent at Tier 1, Agent at Tier 2'
    expect "and sees its queue" "$(as "$(identity_of Ben)" <<<'SELECT count(*) FROM inbox.conversation WHERE team_id = 5')" -eq \
        "$(sql <<<'SELECT count(*) FROM inbox.conversation WHERE org_id = 1 AND team_id = 5 AND assignee_id IS NULL')"
    expect "Sue is refused what a manager holds" "${answers[1]/permission \"broadcast.approve\" is needed/}" != "${answers[1]}"
    expect "Ali is what he was" "$(grants_of Ali)" = 'Agent at Tier 1'
    expect "Sue is refused a role for herself" "${answers[2]/nobody changes their own grants/}" != "${answers[2]}"
    expect "Sue is what she was" "$(grants_of Sue)" = 'Supervisor at Support EMEA, Team lead at Support EMEA'
    expect "Sue is refused another permission in a role" "${answers[3]/permission \"role.manage\" is needed/}" != "${answers[3]}"

    echo
    open_sessions "inbox_app, for Ina" "inbox_app, for Ada" -U inbox_app
    ask_a "SET chat_rbac.identity = '$(identity_of Ina)';"
    count_a
    before=$answer
    run_b "$(sed '/^--/d' demo/end.sql)" as "$(identity_of Ada)"
    count_a
    # On a machine that is this slow it may be over already.
    late=$(sql <<<'SELECT upper(valid) <= clock_timestamp() FROM chat_rbac.role_grant WHERE (org_id, member_id) = (1, 16)')
    expect "Ina sees her chats until then" "$late, $answer" != "f, 0"
    sql -o /dev/null <<<'SELECT pg_sleep_until(upper(valid)) FROM chat_rbac.role_grant WHERE (org_id, member_id) = (1, 16)'
    count_a "     two seconds later, without anybody's doing"
    expect "Ina saw her chats" "$before" -gt 0
    expect "the intern's grant has ended by itself" "$answer" -eq 0
    close_sessions
}

# What a supervisor's dashboard shows: reports, as a role that is her login.
show_morning()
{
    local answer answers=() late shown

    heading "A supervisor's morning"
    echo "    Her dashboard logs in as sue_dashboard, which is Sue, without a word, and reads views:"
    echo
    converse sql -U sue_dashboard -P format=aligned -P tuples_only=off -P footer=off <demo/morning.sql
    shown=$(sql -U sue_dashboard <<<"SELECT count(*), count(DISTINCT team_id) FROM inbox.report_waiting")
    late=$(sql <<<"SELECT count(*), count(DISTINCT c.team_id) FROM inbox.conversation c
        WHERE c.org_id = 1 AND (c.team_id IN (3, 4, 5) OR c.inbox_id IN (21, 22, 23)) AND c.status <> 'closed' AND EXISTS (
            SELECT FROM inbox.message m WHERE m.org_id = 1 AND m.conversation_id = c.id AND m.kind = 'incoming' AND NOT EXISTS (
                SELECT FROM inbox.message r WHERE r.org_id = 1 AND r.conversation_id = c.id AND r.kind = 'reply' AND r.sent_at > m.sent_at))")
    expect "all who wait in her units are there" "$shown" = "$late"
    expect "agents of other units are not" "$(sql -U sue_dashboard <<<"SELECT count(*) FROM inbox.report_agents('2026-11-01') WHERE agent NOT IN ('Ali', 'Ben', 'Cleo', 'Dan')")" -eq 0
    expect "replies are those in her units" "$(sql -U sue_dashboard <<<"SELECT sum(replies) FROM inbox.report_agents('2026-11-01')")" -eq \
        "$(sql <<<"SELECT count(*) FROM inbox.message m JOIN inbox.conversation c ON c.org_id = m.org_id AND c.id = m.conversation_id
            WHERE m.org_id = 1 AND m.kind = 'reply' AND (c.team_id IN (3, 4, 5) OR c.inbox_id IN (21, 22, 23)) AND m.sent_at >= '2026-11-01'")"
    expect "a dashboard changes nothing" "${answers[-1]/read-only transaction/}" != "${answers[-1]}"
}

show_doctor()
{
    local found

    heading "Is anything open?"
    found=$(sql <<<'SELECT severity, object, finding FROM chat_rbac.doctor()')
    echo "        ${dim}SELECT * FROM chat_rbac.doctor();$plain"
    echo "        => $bold${found:-(no rows)}$plain"
    expect "doctor() finds nothing" "$found" = ''
    found=$(sql -F ' | ' <<<"BEGIN; ALTER TABLE inbox.conversation NO FORCE ROW LEVEL SECURITY; SELECT * FROM chat_rbac.doctor(); ROLLBACK")
    echo "        ${dim}ALTER TABLE inbox.conversation NO FORCE ROW LEVEL SECURITY; SELECT * FROM chat_rbac.doctor();$plain"
    echo "        => $bold$found$plain"
    expect "and finds what is broken on purpose" "$found" = "error | inbox.conversation | row-level security does not hold for the owner | ALTER TABLE inbox.conversation FORCE ROW LEVEL SECURITY;"
}

demo()
{
    cat <<END
${bold}chat_rbac$plain: who may see and do what in a team inbox, decided inside PostgreSQL, for every statement.

Loading two companies' inboxes into a PostgreSQL of their own, which is removed at the end ...
END
    load "statement_timeout = ${patience}s"
    mapfile -t people < <(sql <demo/why.sql)
    IFS='|' read -r queue own joined sams inas < <(sql <demo/chats.sql)

    show_org
    show_people
    show_newest
    show_outsiders
    show_tokens
    show_buttons
    show_writing
    show_trail
    show_revocation
    show_administration
    show_reasons
    show_morning
    show_doctor

    echo
    if [ $broken != 0 ]; then
        echo "$broken of $((held + broken)) checks on these numbers failed." >&2
        exit 1
    fi
    cat <<END
All $held checks on these numbers held: they add up, and conditions written by hand find the same.

    ${bold}make psql MEMBER=Ali$plain   to try it yourself
    demo/                  the tables, the people, the rules and these queries
END
}

# psql for the reader.  It runs in the background, because only "wait" heeds the
# signals that shall end it; an interrupt from the keyboard is for psql alone.
play()
{
    local name=${1:-Ali} identity banner=on status

    load
    identity=$(identity_of "$name")
    [ -n "$identity" ] || fail "there is no $name, but there are $(sql <<<"SELECT string_agg(name, ', ' ORDER BY org_id, member_id)
        FROM chat_rbac.member")"

    { sql -v org=1 <demo/tree.sql; sql -v org=2 <demo/tree.sql; } >"$dir/people"
    { sql <demo/macros.sql; cat demo/psqlrc; } >"$dir/psqlrc"
    chmod 644 "$dir/people" "$dir/psqlrc"
    [ -t 0 ] || banner=off

    trap : INT
    PSQLRC=$dir/psqlrc PSQL_HISTORY=$dir/history "$cluster" run "$dir" psql -q -v identity="$identity" -v banner=$banner -v people="$dir/people" \
        -v ON_ERROR_STOP="$([ $banner = on ] || echo 1)" <&0 &
    child=$!
    while :; do
        status=0
        wait "$child" || status=$?
        kill -0 "$child" 2>/dev/null || break
    done
    child=
    return $status
}

case ${1:-} in
    '')
        demo
        ;;
    psql)
        play "${2:-}"
        ;;
    *)
        sed -n 's/^# \{0,1\}//; /^Usage/,/^$/p' "$0" >&2
        exit 2
        ;;
esac
