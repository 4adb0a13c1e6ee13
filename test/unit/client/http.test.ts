import { describe, expect, test } from "vitest";
import { Brokerless, BrokerlessError, type Fetch } from "../../../lib/client/index.ts";

/** An answer from something in between: a gateway, a proxy, a wrong server. */
function answering(status: number, body: string, headers: Record<string, string> = {}): Brokerless {
  const fetch: Fetch = async () => new Response(body, { status, headers });
  return new Brokerless({ url: "http://gateway.test", fetch });
}

function failing(cause: unknown): Brokerless {
  return new Brokerless({ url: "http://gateway.test", fetch: () => Promise.reject(new TypeError("fetch failed", { cause })) });
}

async function errorOf(call: Promise<unknown>): Promise<BrokerlessError> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(BrokerlessError);
  return error as BrokerlessError;
}

const batch = new Uint8Array(61);

describe("an answer that is not the server's own", () => {
  test.each([
    [429, "", "throttled", "not_applied"],
    [413, "<html>too large</html>", "request_too_large", "not_applied"],
    [401, "", "unauthenticated", "not_applied"],
    [403, '{"message":"Forbidden"}', "forbidden", "not_applied"],
    [404, "", "not_found", "not_applied"],
    [502, "<h1>Bad gateway</h1>", "outcome_unknown", "unknown"],
    [504, '{"message":"Endpoint request timed out"}', "outcome_unknown", "unknown"],
    [500, "", "outcome_unknown", "unknown"],
  ])("to a write, %i %j: %s, %s", async (status, body, code, outcome) => {
    expect(await errorOf(answering(status, body).append("t", 0, batch))).toMatchObject({ code, outcome });
  });

  test("to a read is never in doubt", async () => {
    expect(await errorOf(answering(502, "").admin.health())).toMatchObject({
      code: "unavailable",
      outcome: "not_applied",
      retriable: true,
    });
  });

  test("keeps what it says, in one line, and when to come again", async () => {
    const error = await errorOf(
      answering(429, "<html>\n<b>slow</b> down\n</html>", { "retry-after": "3" }).append("t", 0, batch),
    );
    expect(error.message).toBe("HTTP 429: slow down");
    expect(error.retryAfterMs).toBe(3000);
  });

  test("200 with something else is in doubt for a write", async () => {
    expect(await errorOf(answering(200, "hello").append("t", 0, batch))).toMatchObject({ outcome: "unknown" });
    expect(await errorOf(answering(200, "{}").append("t", 0, batch))).toMatchObject({ outcome: "unknown" });
    expect((await errorOf(answering(200, "hello").admin.health())).message).toContain("is it a Brokerless server?");
  });
});

test("the server's own error comes as it is, with names as they are in programs", async () => {
  const body = JSON.stringify({
    error_code: 41601,
    code: "offset_out_of_range",
    message: "offset 5 is below",
    outcome: "not_applied",
    field: "offset",
    details: { log_start_offset: 7, log_end_offset: 9 },
  });
  expect(await errorOf(answering(416, body).append("t", 0, batch))).toMatchObject({
    code: "offset_out_of_range",
    message: "offset 5 is below",
    field: "offset",
    details: { logStartOffset: 7, logEndOffset: 9 },
  });
});

describe("a request without an answer", () => {
  test("is not applied where there was no connection", async () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    expect(await errorOf(failing(refused).append("t", 0, batch))).toMatchObject({ code: "unavailable", outcome: "not_applied" });
    expect(await errorOf(failing(new AggregateError([refused, refused])).append("t", 0, batch))).toMatchObject({
      outcome: "not_applied",
    });
  });

  test("is in doubt for a write where the connection broke, or nobody says why", async () => {
    const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    for (const cause of [reset, undefined, new AggregateError([refused, reset])]) {
      expect(await errorOf(failing(cause).append("t", 0, batch))).toMatchObject({ code: "outcome_unknown", outcome: "unknown" });
    }
  });

  test("is over after requestTimeoutMs", async () => {
    const fetch: Fetch = (_input, { signal }) =>
      new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    const client = new Brokerless({ url: "http://gateway.test", fetch, requestTimeoutMs: 30 });
    const error = await errorOf(client.append("t", 0, batch));
    expect(error.message).toBe(
      "http://gateway.test did not answer: no answer within 30 ms; the request may or may not have been applied",
    );
  });
});

test("the address is checked", () => {
  for (const url of ["127.0.0.1:8080", "ftp://x", "http://x?a=b", ""]) {
    expect(() => new Brokerless({ url })).toThrow(/^url: an address/);
  }
});

test("a token and a prefix in the address go with every request", async () => {
  const seen: [string, string | undefined][] = [];
  const fetch: Fetch = async (input, init) => {
    seen.push([input, (init.headers as Record<string, string>)["authorization"]]);
    return new Response("{}");
  };
  await new Brokerless({ url: "https://x.test/prefix/", token: "secret", fetch }).admin.health();
  expect(seen).toEqual([["https://x.test/prefix/health", "Bearer secret"]]);
});

describe("a token", () => {
  /** Answers every request, and keeps what was sent as credentials. */
  function listening(token: unknown) {
    const sent: (string | undefined)[] = [];
    const client = new Brokerless({
      url: "http://x.example",
      token: token as string,
      fetch: async (_, init) => {
        sent.push((init.headers as Record<string, string>)["authorization"]);
        return new Response("{}");
      },
    });
    return { client, sent };
  }

  test("that is a function is asked for every request", async () => {
    let n = 0;
    const { client, sent } = listening(async () => `t${++n}`);
    await client.admin.health();
    await client.admin.health();
    expect(sent).toEqual(["Bearer t1", "Bearer t2"]);
  });

  test("that cannot be had is an error of the request, and nothing is sent", async () => {
    const { client, sent } = listening(() => Promise.reject(new Error("vault is sealed")));
    expect(await errorOf(client.admin.health())).toMatchObject({
      code: "unauthenticated",
      outcome: "not_applied",
      message: "no token for the request: the token function failed: vault is sealed",
    });
    expect(sent).toEqual([]);
  });

  test.each(["secret\n", "sec ret", "", "s\u00e9cret", undefined])(
    "that no header can carry is not repeated: %j",
    async (token) => {
      const { client, sent } = listening(() => token);
      const error = await errorOf(client.admin.health());
      expect(error).toMatchObject({ code: "invalid_request", field: "token", outcome: "not_applied" });
      if (token) expect(error.message).not.toContain(token.trim());
      expect(sent).toEqual([]);
      if (token !== undefined) expect(() => listening(token)).toThrow(/printable ASCII/);
    },
  );
});
