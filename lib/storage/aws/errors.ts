/**
 * What an error of the AWS clients says about a request. Pure.
 *
 * E1  Refused: the service answered that it did not do it, or the request never left. Not applied.
 * E2  Everything else, 5xx answers too, leaves the outcome open: a write may be applied, now or later.
 * E3  Each message is one line that says what to do.
 */
import { StorageError, type StorageErrorKind } from "../../ports/table.ts";
import { NotSent } from "./http.ts";

/** Where a request went. */
export interface Target {
  readonly service: "DynamoDB" | "S3";
  /** The table's or the bucket's name. */
  readonly name: string;
  readonly region: string | undefined;
  /** Of an operation, as AWS names it: `PutItem`. */
  readonly operation: string;
}

export interface Failure {
  readonly error: StorageError;
  /** Would the same request have a chance, a little later? `lost`: only if doing it twice does no harm. */
  readonly again: "no" | "throttled" | "contended" | "unreachable" | "lost";
}

/** What the clients put into their errors. */
interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Record<string, string> };
}

const THROTTLED: ReadonlySet<string> = new Set([
  "ProvisionedThroughputExceededException",
  "ThrottlingException",
  "ThrottledException",
  "Throttling",
  "RequestLimitExceeded",
  "TooManyRequestsException",
  "SlowDown",
]);
/** Another request was in the way, and this one was not done. */
const CONTENDED: ReadonlySet<string> = new Set([
  "TransactionConflictException",
  "ReplicatedWriteConflictException",
  "ConditionalRequestConflict",
  "OperationAborted",
]);
const EXPIRED: ReadonlySet<string> = new Set(["ExpiredTokenException", "ExpiredToken", "TokenRefreshRequired", "RequestExpired"]);
const BAD_KEY: ReadonlySet<string> = new Set([
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "InvalidAccessKeyId",
  "InvalidToken",
]);
const BAD_SIGNATURE: ReadonlySet<string> = new Set(["InvalidSignatureException", "SignatureDoesNotMatch"]);
const CLOCK: ReadonlySet<string> = new Set(["RequestTimeTooSkewed", "RequestInTheFuture"]);
const DENIED: ReadonlySet<string> = new Set(["AccessDeniedException", "AccessDenied", "Forbidden", "AllAccessDisabled"]);
const ELSEWHERE: ReadonlySet<string> = new Set([
  "PermanentRedirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
]);

/** Judges an error that is not a failed condition. `sent`: bytes of the request may have left this machine. */
export function judge(thrown: unknown, target: Target, sent: boolean): Failure {
  const error = (thrown ?? {}) as SdkError;
  const { name = "", message = "" } = error;
  const where = `${target.service} ${target.operation}`;
  const refused = (kind: StorageErrorKind, text: string, again: Failure["again"] = "no"): Failure => ({
    error: new StorageError(kind, oneLine(text), { cause: thrown }),
    again,
  });
  if (thrown instanceof NotSent) return refused("unavailable", unreachable(thrown, target), "unreachable");
  if (name === "CredentialsProviderError") {
    return EXPIRED_TEXT.test(message)
      ? refused("unavailable", expired(message))
      : refused(
          "unavailable",
          `no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (${message})`,
        );
  }
  if (message === "Region is missing" || message.startsWith('Region not accepted: region=""'))
    return refused("unavailable", "no AWS region: set AWS_REGION or name one in the settings");
  const status = error.$metadata?.httpStatusCode;
  if (status === undefined) {
    return sent
      ? lost(`${where}: the answer was lost (${message || name})`, thrown)
      : refused("unavailable", `${where} could not be sent: ${message || name}`);
  }
  if (THROTTLED.has(name) || status === 429) {
    return refused("throttled", `${target.service} asks for fewer requests (${name}: ${message})`, "throttled");
  }
  if (CONTENDED.has(name)) return refused("contended", `${where}: another write was in the way`, "contended");
  if (status >= 500) return lost(`${where}: ${status} ${name}: ${message}`, thrown);
  // S3 says so with 400 when a body came too slowly.
  if (status === 408 || name === "RequestTimeout" || name === "TransactionInProgressException")
    return lost(`${where}: ${message}`, thrown);
  if (status === 413 || isTooLarge(name, message)) return refused("too_large", `${where}: ${message}`);
  return refused("unavailable", advice(name, message, status, error, target));
}

const EXPIRED_TEXT = /expired/i;
/** As DynamoDB says that a request was made for a table with other keys. */
const OTHER_KEYS = /does not match the schema|missed key schema element|missing the key|type mismatch for key/i;

function lost(text: string, cause: unknown): Failure {
  return { error: new StorageError("unknown", oneLine(text), { cause }), again: "lost" };
}

function isTooLarge(name: string, message: string): boolean {
  if (name === "EntityTooLarge" || name === "ItemCollectionSizeLimitExceededException") return true;
  return name === "ValidationException" && /\bsize\b.*(exceeded|limit)|exceed\w*.*\bsize\b/i.test(message);
}

/** What to do about a request that the service will not take. */
function advice(name: string, message: string, status: number, error: SdkError, target: Target): string {
  const thing = target.service === "S3" ? `bucket "${target.name}"` : `table "${target.name}"`;
  const region = target.region ?? "the configured region";
  if (name === "ResourceNotFoundException" || name === "NoSuchBucket") {
    return `${thing} is not in ${region}: deploy the stack that makes it, or correct its name or the region`;
  }
  if (name === "ValidationException" && OTHER_KEYS.test(message)) {
    return `${thing} is not one of ours, its keys are not the strings pk and sk: name the table that the stack made`;
  }
  if (CLOCK.has(name) || (BAD_SIGNATURE.has(name) && /signature (expired|not yet current)/i.test(message))) {
    return `${target.service} refuses this machine's clock: set it right (NTP)`;
  }
  if (EXPIRED.has(name)) return expired(message);
  if (BAD_KEY.has(name)) return "the AWS access key is not known: check AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN or the profile";
  if (BAD_SIGNATURE.has(name))
    return "the AWS secret key does not fit the access key: check AWS_SECRET_ACCESS_KEY or the profile";
  if (ELSEWHERE.has(name) || status === 301) {
    const there = error.$response?.headers?.["x-amz-bucket-region"] ?? /expecting '([a-z0-9-]+)'/.exec(message)?.[1];
    return `${thing} is ${there === undefined ? "in another region than" : `in ${there}, not in`} ${region}: set AWS_REGION to the bucket's region`;
  }
  if (DENIED.has(name) || status === 403) {
    const action = `${target.service === "S3" ? "s3" : "dynamodb"}:${target.operation}`;
    return `these AWS credentials may not do ${action} on ${thing}: allow it in their policy, or check that the ${target.service === "S3" ? "bucket" : "table"} is yours`;
  }
  return `${target.service} ${target.operation} on ${thing} was refused: ${status} ${name}: ${message}`;
}

function expired(message: string): string {
  return `the AWS credentials have expired: get new ones, with "aws sso login" for one (${message})`;
}

function unreachable({ host, cause, message }: NotSent, target: Target): string {
  const code = (cause as SdkError | undefined)?.code;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return `${target.service}: there is no host ${host}: check AWS_REGION, the endpoint and this machine's DNS`;
  }
  if (code === "ECONNREFUSED")
    return `${target.service}: nothing listens at ${host}: check the endpoint, and that the emulator runs`;
  return `${target.service} at ${host} cannot be reached: ${message || code}`;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}
