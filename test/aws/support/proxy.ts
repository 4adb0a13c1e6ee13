/**
 * A proxy in front of an emulator that does to requests what networks and services do: cuts the connection before or
 * after they were carried out, delivers them after their sender has given up, lets them wait, or answers by itself.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type Fault =
  | "pass"
  /** The request is lost; its sender sees the connection break. */
  | "cut before"
  /** The request is carried out; its answer is lost. */
  | "cut after"
  /** No answer ever comes; the request is lost. */
  | "stall"
  /** The connection breaks at once, and the request is carried out so much later. */
  | { readonly lateMs: number }
  /** Answered here, in the words of DynamoDB or of S3; `type` is the exception or the code. */
  | { readonly status: number; readonly type: string; readonly message?: string };

export interface SeenRequest {
  /** `DynamoDB UpdateItem`, `S3 PUT /bucket/key`. */
  readonly name: string;
  /** How many came before it. */
  readonly index: number;
}

export interface FaultyProxy {
  readonly endpoint: string;
  /** Names of all requests so far. */
  readonly seen: string[];
  /** What becomes of a request; each is asked about once. */
  decide: (request: SeenRequest) => Fault;
  close(): Promise<void>;
}

export async function startProxy(target: string): Promise<FaultyProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const late = new Set<Promise<void>>();
  const proxy: FaultyProxy = { endpoint: "", seen: [], decide: () => "pass", close };

  /** Sends a request on a connection of its own and hands over what comes back. */
  function forward(request: Buffer, onData: (data: Buffer) => void): Socket {
    const upstream = connect(Number(port), hostname);
    sockets.add(upstream);
    upstream.on("close", () => sockets.delete(upstream)).on("error", () => {});
    upstream.on("data", onData);
    upstream.write(request);
    return upstream;
  }

  function handle(client: Socket, request: Buffer, head: string): void {
    const name = nameOf(head);
    const fault = proxy.decide({ name, index: proxy.seen.length });
    proxy.seen.push(name);
    if (fault === "cut before") client.resetAndDestroy();
    else if (fault === "stall") return;
    else if (fault === "pass") forward(request, (data) => client.write(data));
    else if (fault === "cut after") {
      const upstream = forward(request, () => {
        client.resetAndDestroy();
        upstream.destroy();
      });
    } else if ("lateMs" in fault) {
      client.resetAndDestroy();
      late.add(
        new Promise((resolve) => {
          setTimeout(() => {
            const upstream = forward(request, () => {
              upstream.destroy();
              resolve();
            });
            upstream.on("close", resolve);
          }, fault.lateMs);
        }),
      );
    } else {
      const { type, message = "", status } = fault;
      const ofTable = name.startsWith("DynamoDB");
      const body = ofTable
        ? JSON.stringify({ __type: type, message })
        : `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${type}</Code><Message>${message}</Message></Error>`;
      const headers = `Content-Type: application/${ofTable ? "x-amz-json-1.0" : "xml"}${ofTable ? `\r\nx-amzn-errortype: ${type}` : ""}`;
      client.write(
        `HTTP/1.1 ${status} Said by the proxy\r\n${headers}\r\nContent-Length: ${body.length}\r\nDate: ${new Date().toUTCString()}\r\n\r\n${body}`,
      );
    }
  }

  const server = createServer((client) => {
    sockets.add(client);
    client.on("close", () => sockets.delete(client)).on("error", () => {});
    let waiting: Buffer = Buffer.alloc(0);
    client.on("data", (data) => {
      waiting = Buffer.concat([waiting, data]);
      for (;;) {
        const headBytes = waiting.indexOf("\r\n\r\n") + 4;
        if (headBytes < 4) return;
        const head = waiting.toString("latin1", 0, headBytes);
        const requestBytes = headBytes + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
        if (waiting.byteLength < requestBytes) return;
        const request = waiting.subarray(0, requestBytes);
        waiting = waiting.subarray(requestBytes);
        handle(client, request, head);
      }
    });
  });

  async function close(): Promise<void> {
    await Promise.all(late);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(proxy, { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

function nameOf(head: string): string {
  const operation = /^x-amz-target: *\w+\.(\w+)/im.exec(head)?.[1];
  return operation === undefined ? `S3 ${/^\S+ [^\s?]+/.exec(head)?.[0]}` : `DynamoDB ${operation}`;
}
