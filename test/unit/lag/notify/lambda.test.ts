import { expect, test } from "vitest";
import { configuredNotifiers } from "../../../../lambdas/notifiers.ts";
import { systemClock } from "../../../../lib/storage/system/clock.ts";

const ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:lag-AbCdEf";
const LIST = JSON.stringify([{ name: "pager", webhook: { url: "https://pager.example/lag", secretArn: ARN } }]);

function services(answer: () => Response) {
  const asked: { endpoint: string; headers: Headers; body: unknown }[] = [];
  const service = (name: string, region: string) => ({
    endpoint: `https://${name}.${region}.example`,
    send: async (endpoint: string, init: RequestInit) => {
      asked.push({ endpoint, headers: new Headers(init.headers), body: JSON.parse(String(init.body)) });
      return answer();
    },
  });
  return { asked, service };
}

test("the lag function asks Secrets Manager for the secret of a webhook, once", async () => {
  const { asked, service } = services(() => Response.json({ SecretString: "0123456789abcdef" }));
  const [notifier] = await configuredNotifiers(LIST, systemClock, service, "us-east-1");
  expect(notifier?.name).toBe("pager");
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({ endpoint: "https://secretsmanager.us-east-1.example", body: { SecretId: ARN } });
  expect(asked[0]?.headers.get("x-amz-target")).toBe("secretsmanager.GetSecretValue");
});

test("a secret that cannot be read, holds no text or is too short is named", async () => {
  const opened = (answer: () => Response) => configuredNotifiers(LIST, systemClock, services(answer).service, "us-east-1");
  await expect(opened(() => new Response("AccessDenied", { status: 400 }))).rejects.toThrow(
    `the secret ${ARN} cannot be read: 400 AccessDenied`,
  );
  await expect(opened(() => Response.json({ SecretBinary: "AA==" }))).rejects.toThrow("holds no text");
  await expect(opened(() => Response.json({ SecretString: "short" }))).rejects.toThrow("at least 16");
});

test("a file of a secret is nothing that a function has", async () => {
  const list = JSON.stringify([{ name: "pager", webhook: { url: "https://pager.example/lag", secretFile: "s" } }]);
  const { service } = services(() => Response.json({}));
  await expect(configuredNotifiers(list, systemClock, service, "us-east-1")).rejects.toThrow("here it is secretArn");
});
