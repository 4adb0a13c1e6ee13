/** The notifiers that the deployment names, their secrets read from Secrets Manager once a process. */
import { type NotifierMeans, openNotifiers } from "../lib/lag/notify/config.ts";
import type { Notifier } from "../lib/lag/notify/notify.ts";
import type { Clock } from "../lib/ports/index.ts";

/** Of a service in a region: where it is, and a `fetch` that signs for it. */
export type Service = (service: string, region: string) => ReturnType<NotifierMeans["sns"]>;

export function configuredNotifiers(text: string, clock: Clock, service: Service, region: string): Promise<Notifier[]> {
  return openNotifiers("notifiers", text, {
    clock,
    send: (url, init) => fetch(url, init),
    secret: (place) => {
      if (!("arn" in place)) throw new Error("notifiers: secretFile is for servers; here it is secretArn");
      return secretOf(place.arn, service("secretsmanager", region));
    },
    sns: (where) => service("sns", where),
  });
}

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html */
async function secretOf(arn: string, { endpoint, send }: ReturnType<Service>): Promise<string> {
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue" };
  const answer = await send(endpoint, { method: "POST", headers, body: JSON.stringify({ SecretId: arn }) });
  const said = await answer.text();
  if (!answer.ok) throw new Error(`the secret ${arn} cannot be read: ${answer.status} ${said.slice(0, 200)}`);
  const { SecretString: secret } = JSON.parse(said) as { SecretString?: string };
  if (secret === undefined) throw new Error(`the secret ${arn} holds no text`);
  return secret;
}
