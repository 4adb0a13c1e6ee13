/** A Hono server that reads the body and answers a fixed reply: the ceiling of HTTP. */
import { serve } from "@hono/node-server";
import { Hono } from "hono";

const app = new Hono();
app.post("/*", async (c) => {
  await c.req.arrayBuffer();
  return c.json({ topic: "bench", partition: 0, base_offset: 1, record_count: 1, duplicate: false });
});
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(`http://127.0.0.1:${port}`));
