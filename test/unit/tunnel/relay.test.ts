/** What the relay sends again, and what it does not. */
import { expect, test } from "vitest";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { Relay } from "../../../lib/tunnel/relay.ts";
import { framesOf, lengthPrefix } from "../../../lib/wire/framing.ts";
import { request } from "../../e2e/kafka/raw.ts";

const PRODUCE = 0;
const METADATA = 3;
const never = new AbortController().signal;

type Step = "answer" | "refuse connection" | "lose" | "cut the answer" | 503 | 401 | "page";

function relayOver(steps: Step[], patienceMs = 5000) {
  const sent: number[] = [];
  const retried: string[] = [];
  const relay = new Relay({
    url: "https://log.example/prefix/",
    token: "secret",
    advertise: "127.0.0.1:9092",
    patienceMs,
    onRetry: (error) => retried.push(error.code),
    async fetch(url, init) {
      expect(url).toBe("https://log.example/prefix/kafka");
      expect(init.headers).toMatchObject({ authorization: "Bearer secret", "kafka-advertise": "127.0.0.1:9092" });
      const frames = framesOf(init.body as Uint8Array, 1e6);
      sent.push(frames.length);
      const step = steps.shift() ?? "answer";
      if (step === "refuse connection") throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } });
      if (step === "lose") throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNRESET" } });
      if (step === "page") return new Response("<html>", { headers: { "content-type": "text/html" } });
      if (typeof step === "number") {
        const code = step === 503 ? "unavailable" : "unauthenticated";
        return Response.json({ code, message: "no", outcome: "not_applied" }, { status: step });
      }
      const pieces = frames.flatMap((frame) => [lengthPrefix(4), frame.slice(4, 8)]);
      const body =
        step === "answer"
          ? (Buffer.concat(pieces) as Uint8Array<ArrayBuffer>)
          : new ReadableStream({ pull: (controller) => controller.error(new Error("cut")) });
      return new Response(body, { headers: { "content-type": "application/vnd.kafka" } });
    },
  });
  return { relay, sent, retried };
}

async function errorOf(work: Promise<unknown>): Promise<BrokerlessError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BrokerlessError);
  return error as BrokerlessError;
}

test("records are posted again after what certainly did not reach the log, and only then", async () => {
  const { relay, sent, retried } = relayOver(["refuse connection", 503]);
  expect(await relay.answer([request(PRODUCE, 9, 7)], never)).toHaveLength(1);
  expect(sent).toEqual([1, 1, 1]);
  expect(retried).toEqual(["unavailable", "unavailable"]);
});

test.each(["lose", "cut the answer", "page"] as const)(
  "records whose outcome is not known are not posted again (%s)",
  async (step) => {
    const { relay, sent } = relayOver([step]);
    const error = await errorOf(relay.answer([request(METADATA, 9, 6), request(PRODUCE, 9, 7)], never));
    expect(error.outcome).toBe("unknown");
    expect(sent).toEqual([2]);
  },
);

test.each(["lose", "cut the answer"] as const)("what changes nothing is asked again (%s)", async (step) => {
  const { relay, sent } = relayOver([step, step]);
  expect(await relay.answer([request(METADATA, 9, 7)], never)).toHaveLength(1);
  expect(sent).toHaveLength(3);
});

test("a refusal is told at once", async () => {
  const { relay, sent } = relayOver([401]);
  expect((await errorOf(relay.answer([request(METADATA, 9, 7)], never))).code).toBe("unauthenticated");
  expect(sent).toHaveLength(1);
});

test("a server that is not there is given up after a time", async () => {
  const { relay } = relayOver(Array(1000).fill("refuse connection"), 300);
  expect((await errorOf(relay.answer([request(METADATA, 9, 7)], never))).message).toContain("connection refused");
});

test("nothing is tried again for a client that has gone", async () => {
  const gone = new AbortController();
  const { relay, sent } = relayOver(Array(1000).fill("refuse connection"));
  const answer = errorOf(relay.answer([request(METADATA, 9, 7)], gone.signal));
  gone.abort();
  await answer;
  expect(sent.length).toBeLessThanOrEqual(2);
});

test("an address that is none is told at once", () => {
  expect(() => new Relay({ url: "ftp://x", advertise: "" })).toThrow("begins with http:// or https://");
});
