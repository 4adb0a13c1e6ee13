import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, ask, batch, createTopic, jsonInit, rawInit, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let topics = 0;
beforeAll(async () => {
  server = await startTestServer({ limits: { heartbeatMs: 200 } });
});
afterAll(async () => {
  expect(server.internalErrors).toEqual([]);
  await server.close();
});

async function freshTopic(partitions = 1): Promise<string> {
  const name = `events-${topics++}`;
  await createTopic(server, name, partitions);
  return name;
}

interface Event {
  id: string | undefined;
  event: string | undefined;
  data: Answer;
}

/** Reads a stream of events by the rules of its specification, until there are so many. */
async function listen(url: string, count: number, headers: Record<string, string> = {}, then?: () => unknown): Promise<Event[]> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), 5000);
  const response = await fetch(url, { headers: { accept: "text/event-stream", ...headers }, signal: controller.signal });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const events: Event[] = [];
  let text = "";
  await then?.();
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(piece).toString();
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = new Map(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
      );
      text = text.slice(end + 2);
      const data = fields.get("data");
      if (data !== undefined) events.push({ id: fields.get("id"), event: fields.get("event"), data: JSON.parse(data) });
    }
    if (events.length >= count) break;
  }
  clearTimeout(timer);
  controller.abort();
  return events;
}

const send = (topic: string, record: unknown) => ask(`${server.url}/topics/${topic}/records`, jsonInit(record));

describe("server-sent events", () => {
  test("of one partition: each record with its offset as id, from where the reader wants, as they come", async () => {
    const topic = await freshTopic();
    for (const value of ["a", "b"]) await send(topic, { value });
    const url = `${server.url}/topics/${topic}/partitions/0/events`;
    const events = await listen(
      `${url}?offset=earliest`,
      3,
      {},
      () => void setTimeout(() => send(topic, { key: "k", value: "c\nd" }), 50),
    );
    expect(events.map(({ id, data }) => [id, data.partition, data.offset, data.value.data])).toEqual([
      ["0", 0, 0, "a"],
      ["1", 0, 1, "b"],
      ["2", 0, 2, "c\nd"],
    ]);
  });

  test("begin at the end of the log when nothing is said", async () => {
    const topic = await freshTopic();
    await send(topic, { value: "old" });
    const events = await listen(`${server.url}/topics/${topic}/partitions/0/events`, 1, {}, () => send(topic, { value: "new" }));
    expect(events[0]?.data.value.data).toBe("new");
  });

  test("go on after Last-Event-ID, whatever the URL says", async () => {
    const topic = await freshTopic();
    for (let i = 0; i < 5; i++) await send(topic, { value: `${i}` });
    const url = `${server.url}/topics/${topic}/partitions/0/events?offset=earliest`;
    const events = await listen(url, 2, { "last-event-id": "2" });
    expect(events.map(({ id }) => id)).toEqual(["3", "4"]);
  });

  test("of a whole topic: the id is where to go on in every partition, so nothing is lost or doubled", async () => {
    const topic = await freshTopic(3);
    for (let i = 0; i < 9; i++) await send(topic, { partition: i % 3, value: `${i}` });
    const url = `${server.url}/topics/${topic}/events?offset=earliest`;
    const first = await listen(url, 4);
    const seen = first.slice(0, 4);
    const rest = await listen(url, 5, { "last-event-id": seen[3]?.id as string });
    const values = [...seen, ...rest].map(({ data }) => data.value.data);
    expect(values.toSorted()).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
    expect(rest.at(-1)?.id).toBe("3,3,3");
  });

  test("a partition that came after the id is read from its beginning", async () => {
    const topic = await freshTopic(1);
    await send(topic, { partition: 0, value: "a" });
    await server.log.growPartitions(topic, 2);
    await send(topic, { partition: 1, value: "b" });
    const events = await listen(`${server.url}/topics/${topic}/events`, 1, { "last-event-id": "1" });
    expect(events.map(({ id, data }) => [id, data.partition, data.value.data])).toEqual([["1,1", 1, "b"]]);
  });

  test("are had from the records route too, by Accept", async () => {
    const topic = await freshTopic();
    await send(topic, { value: "a" });
    const [event] = await listen(`${server.url}/topics/${topic}/partitions/0/records?offset=0`, 1);
    expect(event?.id).toBe("0");
  });

  test("what is wrong is said before the stream begins", async () => {
    const topic = await freshTopic(2);
    await send(topic, { partition: 0, value: "a" });
    const url = `${server.url}/topics/${topic}/partitions/0/events`;
    expect((await ask(`${url}?offset=5`)).status).toBe(416);
    expect((await ask(url, { headers: { "last-event-id": "7" } })).status).toBe(416);
    expect((await ask(url, { headers: { "last-event-id": "x" } })).body.field).toBe("Last-Event-ID");
    expect((await ask(`${server.url}/topics/${topic}/events`, { headers: { "last-event-id": "0,0,0" } })).body.field).toBe(
      "Last-Event-ID",
    );
    expect((await ask(`${server.url}/topics/nowhere/events`)).status).toBe(404);
    expect((await ask(`${server.url}/topics/${topic}/partitions/9/events`)).body.code).toBe("unknown_partition");
    expect((await ask(url, { headers: { accept: "application/json" } })).status).toBe(406);
  });

  test("a topic that is deleted ends its streams with an error that says so", async () => {
    const topic = await freshTopic();
    const url = `${server.url}/topics/${topic}/partitions/0/events`;
    const events = await listen(url, 1, {}, () => server.log.deleteTopic(topic));
    expect(events).toMatchObject([{ id: undefined, event: "error", data: { code: "unknown_topic", error_code: 40401 } }]);
  });

  test("a silent stream shows that it lives", async () => {
    const topic = await freshTopic();
    const response = await fetch(`${server.url}/topics/${topic}/events`);
    let text = "";
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(piece).toString();
      if (text.split(":\n\n").length > 2) break;
    }
    expect(text).toBe("retry: 2000\n\n:\n\n:\n\n");
  });

  test("end when the server stops", async () => {
    const other = await startTestServer();
    await createTopic(other, "t");
    const response = await fetch(`${other.url}/topics/t/events`);
    const text = response.text();
    await new Promise((go) => setTimeout(go, 50));
    await other.close();
    expect(await text).toBe("retry: 2000\n\n");
  });
});

describe("CloudEvents in", () => {
  const structured = {
    specversion: "1.0",
    id: "1",
    source: "/s",
    type: "t",
    subject: "é",
    partitionkey: "k",
    count: 5,
    data: { a: 1 },
  };

  test("structured: attributes become headers, partitionkey the key, data the value", async () => {
    const topic = await freshTopic();
    const { status, body } = await ask(
      `${server.url}/topics/${topic}/events`,
      jsonInit(structured, { headers: { "content-type": "application/cloudevents+json; charset=utf-8" } }),
    );
    expect([status, body.base_offset]).toEqual([200, 0]);
    const [record] = (await ask(`${server.url}/topics/${topic}/partitions/0/records`)).body.records;
    expect([record.key.data, record.value.data]).toEqual(["k", '{"a":1}']);
    const headers = Object.fromEntries(
      record.headers.map(({ name, value }: Answer) => [name, Buffer.from(value, "base64").toString()]),
    );
    expect(headers).toEqual({
      ce_specversion: "1.0",
      ce_id: "1",
      ce_source: "/s",
      ce_type: "t",
      ce_subject: "é",
      ce_partitionkey: "k",
      ce_count: "5",
      "content-type": "application/json",
    });
  });

  test("binary: attributes in ce-* headers, percent-encoded; the body is the data", async () => {
    const topic = await freshTopic();
    const { status } = await ask(`${server.url}/topics/${topic}/events`, {
      method: "POST",
      headers: {
        "ce-specversion": "1.0",
        "ce-id": "2",
        "ce-source": "/s",
        "ce-type": "t",
        "ce-subject": "Euro%20%E2%82%AC",
        "content-type": "image/png",
      },
      body: new Uint8Array([1, 2, 255]),
    });
    expect(status).toBe(200);
    const back = await fetch(`${server.url}/topics/${topic}/partitions/0/records/0`, {
      headers: { accept: "application/octet-stream" },
    });
    expect(back.headers.get("ce-subject")).toBe("Euro%20%E2%82%AC");
    expect(back.headers.get("content-type")).toBe("image/png");
    expect(new Uint8Array(await back.arrayBuffer())).toEqual(new Uint8Array([1, 2, 255]));
    const { body } = await ask(`${server.url}/topics/${topic}/partitions/0/records/0`, {
      headers: { accept: "application/cloudevents+json" },
    });
    expect(body).toEqual({
      specversion: "1.0",
      id: "2",
      source: "/s",
      type: "t",
      subject: "Euro €",
      datacontenttype: "image/png",
      data_base64: "AQL/",
    });
  });

  test("a batch is read back as it was sent", async () => {
    const topic = await freshTopic();
    const batchOf = [
      { specversion: "1.0", id: "1", source: "/s", type: "t", datacontenttype: "application/json", data: { n: 1 } },
      { specversion: "1.0", id: "2", source: "/s", type: "t", datacontenttype: "text/plain", data: "hello" },
      { specversion: "1.0", id: "3", source: "/s", type: "t", datacontenttype: "application/octet-stream", data_base64: "/wA=" },
      { specversion: "1.0", id: "4", source: "/s", type: "t", time: "2026-01-31T12:00:00Z", partitionkey: "p" },
    ];
    const { body } = await ask(
      `${server.url}/topics/${topic}/events`,
      jsonInit(batchOf, { headers: { "content-type": "application/cloudevents-batch+json" } }),
    );
    expect(body.offsets).toHaveLength(4);
    const back = await ask(`${server.url}/topics/${topic}/partitions/0/records`, {
      headers: { accept: "application/cloudevents-batch+json" },
    });
    expect(back.body).toEqual(batchOf);
  });

  test("records that are no events are shown as events of their place", async () => {
    const topic = await freshTopic();
    await ask(
      `${server.url}/topics/${topic}/partitions/0/records`,
      rawInit(
        batch([
          { key: Buffer.from("k"), value: Buffer.from("text") },
          { key: Buffer.from([255]), value: Buffer.from([254]) },
          { key: null, value: null },
          {
            key: null,
            value: Buffer.from('{"specversion":"1.0","id":"x"}'),
            headers: [{ key: "content-type", value: Buffer.from("application/cloudevents+json") }],
          },
        ]),
      ),
    );
    const { body } = await ask(`${server.url}/topics/${topic}/partitions/0/records`, {
      headers: { accept: "application/cloudevents-batch+json" },
    });
    const base = {
      specversion: "1.0",
      source: `/topics/${topic}/partitions/0`,
      type: "brokerless.record",
      time: "2023-11-14T22:13:20.000Z",
    };
    expect(body).toEqual([
      { ...base, id: "0-0", partitionkey: "k", datacontenttype: "text/plain", data: "text" },
      { ...base, id: "0-1", data_base64: "/g==" },
      { ...base, id: "0-2" },
      { specversion: "1.0", id: "x" },
    ]);
  });

  test.each([
    [{ ...structured, id: "" }, "id"],
    [{ ...structured, specversion: "0.3" }, "specversion"],
    [{ ...structured, type: undefined }, "type"],
    [{ ...structured, Bad_Name: "x" }, "Bad_Name"],
    [{ ...structured, nested: {} }, "nested"],
    [{ ...structured, time: "yesterday" }, "time"],
    [{ ...structured, data_base64: "AA==" }, "data_base64"],
    [{ ...structured, data: undefined, data_base64: "A" }, "data_base64"],
    [[], "body"],
    ["text", "body"],
  ])("an event that is none is refused at its attribute: %j", async (event, field) => {
    const topic = await freshTopic();
    const { status, body } = await ask(
      `${server.url}/topics/${topic}/events`,
      jsonInit(event === "text" ? '"text"' : event, { headers: { "content-type": "application/cloudevents+json" } }),
    );
    expect([status, body.field]).toEqual([400, field]);
  });

  test("an event's attributes tell one keyed request from another", async () => {
    const topic = await freshTopic();
    const event = (id: string) =>
      ask(`${server.url}/topics/${topic}/events`, {
        method: "POST",
        headers: {
          "idempotency-key": "k",
          "ce-specversion": "1.0",
          "ce-source": "/s",
          "ce-type": "t",
          "ce-id": id,
          "content-type": "text/plain",
        },
        body: "data",
      });
    expect((await event("1")).body.base_offset).toBe(0);
    expect((await event("1")).body.base_offset).toBe(0);
    expect((await event("2")).body.code).toBe("idempotency_conflict");
  });

  test("other media types are told what to send", async () => {
    const topic = await freshTopic();
    const other = await ask(`${server.url}/topics/${topic}/events`, jsonInit({}));
    expect([other.status, other.body.code]).toEqual([415, "unsupported_media_type"]);
    const headers = { "ce-id": "1", "ce-source": "/s", "ce-type": "t" };
    expect((await ask(`${server.url}/topics/${topic}/events`, { method: "POST", headers })).body.field).toBe("ce-specversion");
    const empty = await ask(
      `${server.url}/topics/${topic}/events`,
      jsonInit([], { headers: { "content-type": "application/cloudevents-batch+json" } }),
    );
    expect(empty.status).toBe(400);
  });
});
