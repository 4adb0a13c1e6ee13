import { describe, expect, test } from "vitest";
import { type Labels, type Metrics, NO_METRICS, StorageError } from "../../../../lib/ports/index.ts";
import { Calls, type Operation, operation, WRITE_DEADLINE_MS } from "../../../../lib/storage/aws/calls.ts";
import type { SendOptions } from "../../../../lib/storage/aws/http.ts";
import { NotSent } from "../../../../lib/storage/aws/http.ts";
import type { Repeat } from "../../../../lib/storage/aws/retry.ts";
import { ClockSkew } from "../../../../lib/storage/aws/skew.ts";
import { manualClock, serviceError, steadyIds } from "./support.ts";

function of(repeat: Repeat): Operation {
  return operation({ service: "DynamoDB", name: "log", region: "us-east-1", operation: "UpdateItem" }, repeat);
}

function world(metrics: Metrics = NO_METRICS) {
  const clock = manualClock();
  const skew = new ClockSkew(clock, 60_000);
  skew.observe(new Date(clock.nowMs()).toUTCString());
  return { clock, skew, calls: new Calls({ clock, ids: steadyIds(clock), metrics, skew }) };
}

/** Answers what it is told to, one after the other. `reset`: the connection broke after the request was sent. */
function service(...replies: readonly (Error | "reset" | "refused" | "ok")[]) {
  const requests: SendOptions[] = [];
  const attempt = async (options: SendOptions): Promise<string> => {
    const reply = replies[requests.length] ?? "ok";
    requests.push(options);
    if (reply === "refused") throw new NotSent("h:1", Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));
    options.progress.sent = true;
    if (reply === "ok") return "answer";
    throw reply === "reset" ? Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }) : reply;
  };
  return { requests, attempt };
}

const THROTTLED = serviceError("ThrottlingException", 400, "slow down");
const BROKEN = serviceError("InternalServerError", 500, "oops");
const MISSING = serviceError("ResourceNotFoundException", 400);

async function errorOf(run: Promise<unknown>): Promise<StorageError> {
  const error = await run.catch((reason: unknown) => reason);
  if (!(error instanceof StorageError)) return expect.fail(`no StorageError but ${error}`);
  return error;
}

describe("outcomes", () => {
  test.each(["reset", BROKEN] as const)(
    "a write whose answer was lost is sent once, and its outcome is unknown",
    async (reply) => {
      const { calls } = world();
      const { requests, attempt } = service(reply);
      const error = await errorOf(calls.send(of("write"), calls.writeDeadline(), attempt));
      expect(error).toMatchObject({ kind: "unknown", outcome: "unknown" });
      expect(requests.length).toBe(1);
    },
  );

  test.each(["reset", BROKEN] as const)("a repeatable write whose answer was lost is sent again", async (reply) => {
    const { calls } = world();
    const { requests, attempt } = service(reply, reply, "ok");
    expect(await calls.send(of("repeatable"), calls.writeDeadline(), attempt)).toBe("answer");
    expect(requests.length).toBe(3);
  });

  test("a write that did not leave, or was throttled, is sent again", async () => {
    const { calls } = world();
    const { requests, attempt } = service("refused", THROTTLED, "ok");
    expect(await calls.send(of("write"), calls.writeDeadline(), attempt)).toBe("answer");
    expect(requests.length).toBe(3);
  });

  test("a write that was refused and then lost is unknown, and not sent a third time", async () => {
    const { calls } = world();
    const { requests, attempt } = service(THROTTLED, "reset");
    expect((await errorOf(calls.send(of("write"), calls.writeDeadline(), attempt))).kind).toBe("unknown");
    expect(requests.length).toBe(2);
  });

  test("a repeatable write that was lost once stays unknown, however it ends", async () => {
    for (const last of [MISSING, THROTTLED]) {
      const { calls } = world();
      const { attempt } = service("reset", ...Array.from({ length: 20 }, () => last));
      expect((await errorOf(calls.send(of("repeatable"), calls.writeDeadline(), attempt))).kind).toBe("unknown");
    }
  });

  test("a read that fails for good has changed nothing: it is unavailable", async () => {
    const { calls } = world();
    const { requests, attempt } = service(...Array.from({ length: 20 }, () => BROKEN));
    expect(await errorOf(calls.send(of("read"), 60_000, attempt))).toMatchObject({ kind: "unavailable", outcome: "not_applied" });
    expect(requests.length).toBeGreaterThan(2);
    expect(requests.length).toBeLessThan(10);
  });

  test("what is throttled again and again is given up as throttled, within seconds", async () => {
    const { calls, clock } = world();
    const { attempt } = service(...Array.from({ length: 50 }, () => THROTTLED));
    const error = await errorOf(calls.send(of("write"), calls.writeDeadline(), attempt));
    expect(error).toMatchObject({ kind: "throttled", outcome: "not_applied" });
    expect(clock.monotonicMs()).toBeGreaterThan(1000);
    expect(clock.monotonicMs()).toBeLessThan(5000);
  });

  test("what is refused for good is not sent again", async () => {
    const { calls } = world();
    const { requests, attempt } = service(MISSING);
    expect((await errorOf(calls.send(of("write"), calls.writeDeadline(), attempt))).kind).toBe("unavailable");
    expect(requests.length).toBe(1);
  });
});

describe("time", () => {
  test("no attempt may take longer than what is left, and after the deadline there is none", async () => {
    const { calls, clock } = world();
    const { requests, attempt } = service("reset", "reset", "reset", "reset", "reset");
    const slow = async (options: SendOptions): Promise<string> => {
      clock.pass(Math.min(10_000, options.requestTimeout));
      return attempt(options);
    };
    const error = await errorOf(calls.send(of("repeatable"), calls.writeDeadline(), slow, 10_000));
    expect(error.kind).toBe("unknown");
    expect(clock.monotonicMs()).toBeLessThanOrEqual(WRITE_DEADLINE_MS);
    expect(requests.length).toBe(3);
    expect(requests[2]?.requestTimeout).toBeLessThan(5000);
  });
});

describe("the clock", () => {
  test("before the first write the time is asked for, once for all that wait", async () => {
    const clock = manualClock();
    const skew = new ClockSkew(clock, 60_000);
    const calls = new Calls({ clock, ids: steadyIds(clock), metrics: NO_METRICS, skew });
    let probes = 0;
    calls.setProbe(async () => {
      probes++;
      await Promise.resolve();
      skew.observe(new Date(clock.nowMs()).toUTCString());
    });
    await Promise.all([1, 2, 3].map(() => calls.send(of("write"), calls.writeDeadline(), service().attempt)));
    await calls.send(of("write"), calls.writeDeadline(), service().attempt);
    expect(probes).toBe(1);
  });

  test("with a wrong clock nothing is written, reads go on, and a clock set right is noticed", async () => {
    const { calls, clock, skew } = world();
    let offMs = 300_000;
    calls.setProbe(async () => skew.observe(new Date(clock.nowMs() - offMs).toUTCString()));
    skew.observe(new Date(clock.nowMs() - offMs).toUTCString());
    const { requests, attempt } = service();
    const error = await errorOf(calls.send(of("write"), calls.writeDeadline(), attempt));
    expect(error).toMatchObject({ kind: "unavailable", message: expect.stringContaining("clock is 300 s ahead") });
    expect(requests.length).toBe(0);
    expect(await calls.send(of("read"), 60_000, attempt)).toBe("answer");
    offMs = 0;
    expect(await calls.send(of("write"), calls.writeDeadline(), attempt)).toBe("answer");
  });
});

describe("closing", () => {
  test("close waits for calls under way, and refuses later ones", async () => {
    const { calls } = world();
    let finish = (): void => {};
    const call = calls.run(() => new Promise<void>((resolve) => (finish = resolve)));
    let closed = 0;
    const closing = [calls.close(), calls.close()].map((one) => one.then(() => closed++));
    await Promise.resolve();
    expect(closed).toBe(0);
    expect(await errorOf(calls.run(async () => 1))).toMatchObject({ kind: "unavailable", message: "the storage is closed" });
    finish();
    await Promise.all([call, ...closing]);
    await calls.close();
  });
});

test("requests, failures and pauses are counted by operation", async () => {
  const counted: string[] = [];
  const metrics: Metrics = {
    ...NO_METRICS,
    count: (name: string, by = 1, labels: Labels = {}) => counted.push(`${name} ${by} ${Object.values(labels)}`),
  };
  const { calls } = world(metrics);
  await calls.send(of("write"), calls.writeDeadline(), service(THROTTLED, "ok").attempt);
  expect(counted).toEqual([
    "aws_requests_total 1 DynamoDB,UpdateItem",
    "aws_failures_total 1 DynamoDB,UpdateItem,throttled",
    "aws_requests_total 1 DynamoDB,UpdateItem",
  ]);
});
