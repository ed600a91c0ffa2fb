// An application as many are: a pool of few connections, many people at once,
// each transaction in the name of one of them.  The answer to every query is
// compared with what that person owns.
//
// Usage: node pool.js people.json
//
// Without a file it says with what it would work.
//
// people.json is a list of {"org", "member", "token" or null, "own": [body...]}.
// Who has a token shows it, the others are named by chat_rbac.identity.  The
// connection is told by PGHOST, PGPORT, PGUSER and PGDATABASE, and what to do by
//
//  CHAT_RBAC_POOL_SECONDS      how long (5)
//  CHAT_RBAC_POOL_CONNECTIONS  the size of the pool (4)
//  CHAT_RBAC_POOL_MODE         transaction: for each transaction, as it should be
//                              careless: now and then for the whole session
//                              session: always so, with a new connection each time
//  CHAT_RBAC_POOL_NAMED        1: queries are prepared statements with a name
//  CHAT_RBAC_POOL_SABOTAGE     1: now and then nobody is named, so that answers
//                              must be found wrong
//
// Prints one line of JSON: how many responses were checked, in how many
// rounds, and how many were wrong.  The exit status is 1 if any was, and
// 2 if something else went wrong.

'use strict';

const fs = require('fs');
const { setTimeout: sleep } = require('timers/promises');

// Where there is one, pg looks whether it is Cloudflare's; that loads WebAssembly,
// which wants more address space than a limited process has.
delete globalThis.Response;
const { Pool } = require('pg');

const seconds = Number(process.env.CHAT_RBAC_POOL_SECONDS || 5);
const connections = Number(process.env.CHAT_RBAC_POOL_CONNECTIONS || 4);
const mode = process.env.CHAT_RBAC_POOL_MODE || 'transaction';
const named = process.env.CHAT_RBAC_POOL_NAMED === '1';
const sabotage = process.env.CHAT_RBAC_POOL_SABOTAGE === '1';

if (process.argv.length < 3) {
  console.log(`node-postgres ${require('pg/package.json').version} on node ${process.version}`);
  process.exit(0);
}

const people = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const highestId = 1 + Math.max(...people.map((person) => person.member)) * 10;
const count = { checked: 0, wrong: 0, rounds: 0, turns: {} };
const served = new Set();
const maxWrong = 3;

const chance = (probability) => Math.random() < probability;
const below = (n) => Math.floor(Math.random() * n);
const pick = (list) => list[below(list.length)];
let deadline = Infinity;

// Everybody has been served by then, however slow the machine.
const late = () => count.wrong >= maxWrong || (Date.now() > deadline && served.size === people.length);

// One response: what came must be what is right, no matter in which order.
function check(what, person, came, right) {
  const [a, b] = [came, right].map((list) => JSON.stringify([...list].sort()));

  count.checked++;
  if (a !== b) {
    const who = person ? `${person.org}/${person.member}` : 'nobody';

    count.wrong++;
    console.error(`wrong: ${what} as ${who} gave ${a} instead of ${b}`);
  }
}

// A query with parameters: the extended protocol, and one statement prepared
// for all people where it has a name.
function ask(client, text, values = []) {
  return client.query(named ? { name: text.replace(/\W+/g, '_').slice(0, 60), text, values } : { text, values });
}

async function bodies(client, condition = 'true', values = []) {
  const { rows } = await ask(client, `SELECT body FROM desk.task WHERE ${condition}`, values);

  return rows.map((row) => row.body);
}

// The setting that says who asks, its value, and whether for the transaction only.
function naming(person) {
  const local = mode !== 'session' && !(mode === 'careless' && chance(0.3));

  return person.token
    ? ['chat_rbac.token', person.token, local]
    : ['chat_rbac.identity', `${person.org}/${person.member}`, local];
}

async function become(client, person) {
  if (!(sabotage && chance(0.05))) {
    await ask(client, 'SELECT set_config($1, $2, $3) IS NOT NULL', naming(person));
  }
}

// The query must fail, and with this SQLSTATE; without values by the simple protocol,
// as a pooler cannot prepare a statement in a transaction that has failed.
async function fails(client, person, code, text, values) {
  let came = 'success';

  try {
    await (values ? ask(client, text, values) : client.query(text));
  } catch (error) {
    if (!error.code || error.code.length !== 5) {
      throw error;
    }
    came = error.code;
  }
  check(text, person, [came], [code]);
}

// What a person, who has been named, may do in a transaction.
const turns = {
  async look(client, person) {
    check('look', person, await bodies(client), person.own);
  },

  async find(client, person) {
    const ids = Array.from({ length: 40 }, () => below(highestId));
    const right = person.own.filter((body) => ids.includes(Number(body.split('/')[2])));

    check('find', person, await bodies(client, 'id = ANY ($1)', [ids]), right);
  },

  async wait(client, person) {
    check('before', person, await bodies(client), person.own);
    await sleep(below(3));
    check('after', person, await bodies(client), person.own);
  },

  async whoami(client, person) {
    const { rows } = await ask(client, 'SELECT org_id, member_id, status FROM chat_rbac.whoami()');

    check('whoami', person, Object.values(rows[0]), [String(person.org), String(person.member), 'active']);
  },

  async change(client, person) {
    await ask(client, "SELECT set_config('chat_rbac.request_id', $1, $2) IS NOT NULL",
      [`${person.org}/${person.member}`, mode !== 'session']);
    const { rows } = await ask(client, 'UPDATE desk.task SET times = times + 1 WHERE id % $1 = $2 RETURNING body', [5, 0]);

    check('change', person, rows.map((row) => row.body), person.own.filter((body) => Number(body.split('/')[2]) % 5 === 0));
  },

  async trespass(client, person) {
    const other = pick(people.filter((one) => one.org === person.org && one.member !== person.member));

    await client.query('SAVEPOINT before');
    await fails(client, person, '42501', 'INSERT INTO desk.task VALUES ($1, $2, $3)', [person.org, -1, other.member]);
    await client.query('ROLLBACK TO before');
    check('trespass', person, await bodies(client), person.own);
  },

  // somebody else for a while; a token is beaten by another token only
  async lend(client, person) {
    const other = pick(people.filter((one) => one.token || !person.token));

    await client.query('SAVEPOINT before');
    await become(client, other);
    check('lend', other, await bodies(client), other.own);
    await client.query('ROLLBACK TO before');
    check('lent', person, await bodies(client), person.own);
  },

  async error(client, person) {
    check('error', person, await bodies(client), person.own);
    await fails(client, person, '22012', 'SELECT 1 / $1::int', [0]);
    await fails(client, person, '25P02', 'SELECT body FROM desk.task');
  },
};

// One person's turn at a connection.
async function transaction(client, person) {
  const turn = pick(Object.keys(turns));

  await client.query('BEGIN');
  await become(client, person);
  await turns[turn](client, person);
  await client.query(chance(0.6) ? 'COMMIT' : 'ROLLBACK');
  count.turns[turn] = (count.turns[turn] || 0) + 1;
}

// The same in one message, by the simple protocol.
async function message(client, person) {
  const [setting, value, local] = naming(person);
  const name = sabotage && chance(0.05) ? '' : `SELECT set_config('${setting}', '${value}', ${local}) IS NOT NULL;`;
  const results = await client.query(`BEGIN; ${name} SELECT body FROM desk.task; COMMIT`);

  check('message', person, results.find((one) => one.fields.some((field) => field.name === 'body')).rows.map((row) => row.body), person.own);
}

// A session of one's own: several queries, in no transaction.
async function session(client, person) {
  check('session', null, await bodies(client), []);
  await become(client, person);
  for (let i = below(4); i >= 0; i--) {
    await turns[pick(['look', 'find', 'wait', 'whoami', 'change'])](client, person);
  }
}

async function nobody(client) {
  check('nobody', null, await bodies(client), []);
}

// A worker serves one person first, and then anybody, until it is late.  Some drop
// the connection in the middle of a transaction; nothing of theirs may be left for
// whoever comes next.
async function work(pool, first) {
  for (let person = first; !late(); person = pick(people)) {
    const client = await pool.connect();
    let broken = true;

    if (late()) {
      client.release();
      return;
    }
    try {
      if (mode === 'session') {
        await session(client, person);
        broken = false;
      } else if (chance(0.005)) {
        await client.query('BEGIN');
        await become(client, person);
        check('dropped', person, await bodies(client), person.own);
      } else {
        await (chance(0.15) ? message : transaction)(client, person);
        if (chance(0.3)) {
          await nobody(client);
        }
        broken = false;
      }
      served.add(person);
      count.rounds++;
    } finally {
      client.release(broken);
    }
    if (chance(0.1)) {
      await sleep(below(5));
    }
  }
}

async function main() {
  const pool = new Pool({ max: connections, maxUses: mode === 'session' ? 1 : Infinity });

  pool.on('error', () => {});
  deadline = Date.now() + seconds * 1000;
  await Promise.all(people.map((person) => work(pool, person)));
  await pool.end();
  console.log(JSON.stringify({ people: served.size, connections, mode, ...count }));
  return count.wrong ? 1 : 0;
}

main().then((status) => process.exit(status), (error) => {
  console.error(error);
  process.exit(2);
});
