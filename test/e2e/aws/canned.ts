/** DynamoDB and S3 at one address that answer what a test wants, in the words of AWS. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface Canned {
  readonly status: number;
  /** DynamoDB's exception, or S3's code. */
  readonly code: string;
  readonly message: string;
  /** Further elements of S3's document, and headers. */
  readonly more?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `DynamoDB GetItem`, `S3 GET`. Undefined: nothing is there, and all is well. */
export type Decide = (name: string) => Canned | undefined;

export interface CannedAws {
  readonly endpoint: string;
  readonly seen: string[];
  decide: Decide;
  close(): Promise<void>;
}

export async function startCannedAws(decide: Decide = () => undefined): Promise<CannedAws> {
  const seen: string[] = [];
  const server = createServer(async (incoming, outgoing) => {
    await buffer(incoming);
    const name = nameOf(incoming);
    seen.push(name);
    const canned = aws.decide(name);
    const isTable = name.startsWith("DynamoDB");
    if (canned === undefined) {
      if (isTable) outgoing.writeHead(200, { "content-type": "application/x-amz-json-1.0" }).end("{}");
      else outgoing.writeHead(404, XML).end(document("NoSuchKey", "The specified key does not exist.", {}));
    } else if (isTable) {
      const type =
        canned.code === "ValidationException"
          ? `com.amazon.coral.validate#${canned.code}`
          : `com.amazonaws.dynamodb.v20120810#${canned.code}`;
      const body = JSON.stringify({ __type: type, message: canned.message });
      outgoing
        .writeHead(canned.status, { "content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "A", ...canned.headers })
        .end(body);
    } else
      outgoing
        .writeHead(canned.status, { ...XML, ...canned.headers })
        .end(document(canned.code, canned.message, canned.more ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const aws: CannedAws = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    decide,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return aws;
}

const XML = { "content-type": "application/xml" };

function nameOf({ headers, method }: IncomingMessage): string {
  const target = String(headers["x-amz-target"] ?? "").split(".")[1];
  return target === undefined ? `S3 ${method}` : `DynamoDB ${target}`;
}

function document(code: string, message: string, more: Readonly<Record<string, string>>): string {
  const elements = Object.entries({ Code: code, Message: message, ...more, RequestId: "A", HostId: "B" });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${elements.map(([name, text]) => `<${name}>${text}</${name}>`).join("")}</Error>`;
}
