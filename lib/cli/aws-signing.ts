/** Signed requests from the command line: when, and with which credentials. */
import { type AwsCredentials, scopeOfHost, signingFetch } from "../client/aws/index.ts";
import { BrokerlessError, type Fetch } from "../client/index.ts";
import { UsageError } from "./exit-codes.ts";

export interface SigningFlags {
  /** True and false as it was said; undefined: where the host is one of AWS's own. */
  readonly sigv4?: boolean;
  readonly region?: string;
}

/** Undefined where requests go as they are. Throws `UsageError` for flags that do not go together. */
export function signingFor(
  url: string,
  token: string | undefined,
  { sigv4, region }: SigningFlags,
  env: Readonly<Record<string, string | undefined>>,
): Fetch | undefined {
  const scope = scopeOfHost(new URL(url).host);
  const wanted = sigv4 ?? (scope !== undefined && token === undefined);
  if (!wanted) return undefined;
  if (token !== undefined) throw new UsageError("--sigv4: a request is signed, or it carries a token, not both");
  const where = region ?? scope?.region ?? (env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || undefined);
  if (where === undefined)
    throw new UsageError(`--sigv4: ${url} does not say which region to sign for: --region or AWS_REGION does`);
  return signingFetch({ credentials: credentialsOf(sigv4 === true), region: where });
}

/** SNS in a region, with a `fetch` that signs for it by what the AWS SDK finds. */
export function snsIn(region: string, env: Readonly<Record<string, string | undefined>>): { endpoint: string; send: Fetch } {
  return {
    endpoint: env["AWS_ENDPOINT_URL_SNS"] || env["AWS_ENDPOINT_URL"] || `https://sns.${region}.amazonaws.com`,
    send: signingFetch({ credentials: credentialsOf(true), region, service: "sns" }),
  };
}

/** What the AWS SDK finds: environment, profile, SSO, container or instance role. Loaded with the first request. */
function credentialsOf(needed: boolean): () => Promise<AwsCredentials | undefined> {
  let chain: Promise<() => Promise<AwsCredentials>> | undefined;
  return async () => {
    chain ??= import("@aws-sdk/credential-provider-node").then(({ defaultProvider }) => defaultProvider());
    try {
      return await (await chain)();
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      // Nobody asked for a signature, and perhaps nobody checks one.
      if (!needed && /could not load credentials from any providers/i.test(message)) return undefined;
      throw new BrokerlessError(
        "unauthenticated",
        /expired/i.test(message)
          ? `the AWS credentials have expired: get new ones, with "aws sso login" for one (${message})`
          : `no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (${message})`,
        { cause },
      );
    }
  };
}
