// Tickets with numbers in a row: Node and pg. VARIANT says how each gets a number of its own.
"use strict";
const http = require("node:http");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 8 });
pool.on("error", () => {});

const LAST = "SELECT coalesce(max(number), 0) AS last FROM tickets WHERE queue = $1";
const ADD = "INSERT INTO tickets (queue, number) VALUES ($1, $2)";

async function counted(db, queue) {
  const { rows } = await db.query(LAST, [queue]);
  const number = rows[0].last + 1;
  await db.query(ADD, [queue, number]);
  return number;
}

async function inTransaction(begin, work) {
  const db = await pool.connect();
  try {
    await db.query(begin);
    const number = await work(db);
    await db.query("COMMIT");
    return number;
  } catch (error) {
    await db.query("ROLLBACK");
    throw error;
  } finally {
    db.release();
  }
}

const variants = {
  racy: (queue) => inTransaction("BEGIN", (db) => counted(db, queue)),
  // Racy as well: the two statements may even go through two connections.
  pooled: (queue) => counted(pool, queue),
  counter: (queue) =>
    inTransaction("BEGIN", async (db) => {
      const { rows } = await db.query(
        "UPDATE queues SET last = last + 1 WHERE id = $1 RETURNING last",
        [queue],
      );
      await db.query(ADD, [queue, rows[0].last]);
      return rows[0].last;
    }),
  advisory: (queue) =>
    inTransaction("BEGIN", async (db) => {
      await db.query("SELECT pg_advisory_xact_lock($1)", [queue]);
      return counted(db, queue);
    }),
  serializable: async (queue) => {
    for (;;) {
      try {
        return await inTransaction("BEGIN ISOLATION LEVEL SERIALIZABLE", (db) =>
          counted(db, queue),
        );
      } catch (error) {
        if (error.code !== "40001") throw error;
      }
    }
  },
};
const take = variants[process.env.VARIANT || "racy"];

async function answer(request) {
  if (request.url === "/healthz") return [200, { status: "ok" }];
  const queue = /^\/queues\/(\d+)\/tickets$/.exec(request.url);
  if (request.method === "POST" && queue) return [201, { number: await take(Number(queue[1])) }];
  if (request.method === "POST" && request.url === "/queues") {
    const { rows } = await pool.query("INSERT INTO queues (last) VALUES (0) RETURNING id");
    return [201, rows[0]];
  }
  return [404, { error: "not found" }];
}

http
  .createServer((request, response) => {
    request.resume();
    answer(request)
      .catch((error) => [500, { error: error.message }])
      .then(([status, body]) => {
        response.writeHead(status, { "Content-Type": "application/json" });
        response.end(JSON.stringify(body));
      });
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
