/** Connections that are held open, each after one request, and what each costs the server. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { MeasuredServer } from "./servers.ts";

/** ApiVersions v0, correlation id 1, no client id. */
const API_VERSIONS = Buffer.from("0000000a0012000000000001ffff", "hex");

async function open(host: string, port: number): Promise<Socket> {
  const socket = connect(port, host);
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("connect", () => socket.write(API_VERSIONS));
    socket.once("data", () => resolve());
  });
  return socket;
}

/** KB of resident memory for each of so many connections; NaN where they were refused. */
export async function memoryOfConnections(server: MeasuredServer, count: number): Promise<number> {
  const [host = "", port = ""] = server.kafka.split(":");
  const before = server.memoryMegabytes();
  const sockets: Socket[] = [];
  try {
    while (sockets.length < count) {
      sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => open(host, Number(port))))));
    }
    await sleep(2000);
    return ((server.memoryMegabytes() - before) * 1024) / count;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}
