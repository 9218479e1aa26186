import type { Found } from './names.ts';
import type { ProxyEnv, S3Settings } from './settings.ts';
import { VARIABLES, type Variable, type VariableName } from './variables.ts';

export function readProxies(get: (name: VariableName) => string | undefined): ProxyEnv {
  const names = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'] as const;
  return Object.fromEntries(names.flatMap((name) => (get(name) === undefined ? [] : [[name, get(name)]])));
}

/** What stands before the @ of a proxy is somebody's user name and password. */
export function passwordsOf(proxies: ProxyEnv): string[] {
  return Object.values(proxies).flatMap((proxy) => {
    const { username = '', password = '' } = URL.parse(proxy) ?? {};
    const [user, secret] = [decodeURIComponent(username), decodeURIComponent(password)];
    return secret === '' ? [] : [secret, password, `${user}:${secret}`];
  });
}

export function readCredentials(
  found: ReadonlyMap<VariableName, Found>,
  unusable: ReadonlySet<VariableName>,
  problems: string[],
): S3Settings['credentials'] {
  const id = found.get('AWS_ACCESS_KEY_ID');
  const secret = found.get('AWS_SECRET_ACCESS_KEY');
  if (id === undefined && secret === undefined) return undefined;
  if (id === undefined || secret === undefined) {
    const lacking = id === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY';
    if (unusable.has(lacking)) return undefined;
    const set = id ?? secret;
    const aliases = (VARIABLES[lacking] as Variable).aliases?.join(', ');
    problems.push(
      `${set?.name} is set without its other half: set ${lacking} (or ${aliases}) too, or neither to use the AWS SDK's own chain.`,
    );
    return undefined;
  }
  const token = found.get('AWS_SESSION_TOKEN');
  return {
    accessKeyId: id.value,
    secretAccessKey: secret.value,
    ...(token === undefined ? {} : { sessionToken: token.value }),
  };
}

export function secretsOf(found: ReadonlyMap<VariableName, Found>, apiKey: string, secretKey: string): string[] {
  const values = [...found].filter(([name]) => (VARIABLES[name] as Variable).secret).map(([, { value }]) => value);
  // The pair's Base64 goes over the wire; the redaction knows every value's Base64.
  return apiKey === '' ? values : [...values, `${apiKey}:${secretKey}`];
}
