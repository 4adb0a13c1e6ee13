/**
 * What stands before a server on AWS: lets through what is signed right, by the reckoning of AWS's own signer, and refuses
 * all else in the words of API Gateway.
 */
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { SignatureV4 } from "@smithy/signature-v4";

export const KEY = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };

export interface Gateway {
  readonly url: string;
  /** Method and target of what it let through. */
  readonly passed: string[];
  /** Its clock, against ours. */
  aheadMs: number;
  close(): Promise<void>;
}

export interface GatewayOptions {
  readonly target: string;
  readonly service?: string;
  readonly region?: string;
  readonly sessionToken?: string;
}

class NodeHash {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", Buffer.from(secret as Uint8Array));
  }
  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { target, service = "execute-api", region = "eu-west-1" } = options;
  const passed: string[] = [];

  async function refusal(incoming: IncomingMessage, body: Uint8Array): Promise<string | undefined> {
    const { authorization = "", "x-amz-date": date = "", "x-amz-security-token": token } = incoming.headers;
    const parts =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
        authorization,
      );
    if (parts === null) return "Missing Authentication Token";
    const [, key, , signedRegion, signedService, names = ""] = parts;
    if (key !== KEY.accessKeyId || token !== options.sessionToken)
      return "The security token included in the request is invalid.";
    if (signedRegion !== region || signedService !== service)
      return `Credential should be scoped to a valid region, not '${signedRegion}'. `;
    const atMs = Date.parse(String(date).replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/, "$1-$2-$3T$4:$5:$6Z"));
    if (Math.abs(Date.now() + gateway.aheadMs - atMs) > 300_000) return `Signature expired: ${date} is now earlier than …`;
    for (const needed of ["host", "x-amz-date"])
      if (!names.split(";").includes(needed)) return "Authorization header requires more signed headers";
    const signer = new SignatureV4({ credentials: KEY, region, service, sha256: NodeHash, applyChecksum: false });
    const url = new URL(incoming.url ?? "/", `http://${incoming.headers.host}`);
    const expected = await signer.sign(
      {
        method: incoming.method ?? "",
        protocol: "http:",
        hostname: url.hostname,
        path: (incoming.url ?? "").split("?")[0] ?? "",
        query: queryOf(incoming.url ?? ""),
        headers: Object.fromEntries(names.split(";").map((name) => [name, String(incoming.headers[name])])),
        body,
      },
      { signingDate: new Date(atMs) },
    );
    const wanted = expected.headers["authorization"];
    return wanted === authorization
      ? undefined
      : "The request signature we calculated does not match the signature you provided.";
  }

  const server = createServer(async (incoming, outgoing) => {
    const body = await buffer(incoming);
    const message = await refusal(incoming, body);
    if (message !== undefined) {
      const date = new Date(Date.now() + gateway.aheadMs).toUTCString();
      outgoing.writeHead(403, { "content-type": "application/json", date }).end(JSON.stringify({ message }));
      return;
    }
    passed.push(`${incoming.method} ${incoming.url}`);
    const { authorization: _, host: __, ...headers } = incoming.headers;
    const onward = request(target + incoming.url, { method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    outgoing.once("close", () => onward.destroy());
    onward.once("error", () => outgoing.destroy());
    onward.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const gateway: Gateway = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    aheadMs: 0,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return gateway;
}

/** As AWS reads it: a plus is a plus. */
function queryOf(target: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = {};
  const text = target.split("?")[1];
  for (const pair of text === undefined ? [] : text.split("&")) {
    const [name = "", value = ""] = pair.split("=").map(decodeURIComponent);
    const before = query[name];
    query[name] = before === undefined ? value : [before, value].flat();
  }
  return query;
}
