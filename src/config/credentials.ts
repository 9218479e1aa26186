import type { ProxyEnv } from '../network.ts';
import type { Found } from './names.ts';
import { VARIABLES, type VariableName } from './variables.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The pair of AWS keys; undefined for the SDK's own search. Half a pair is a problem, unless the other half is one. */
export function readCredentials(
  found: ReadonlyMap<VariableName, Found>,
  unusable: ReadonlySet<VariableName>,
  problems: string[],
): Credentials | undefined {
  const id = found.get('AWS_ACCESS_KEY_ID');
  const secret = found.get('AWS_SECRET_ACCESS_KEY');
  if (id !== undefined && secret !== undefined) {
    const token = found.get('AWS_SESSION_TOKEN');
    const pair = { accessKeyId: id.value, secretAccessKey: secret.value };
    return token === undefined ? pair : { ...pair, sessionToken: token.value };
  }
  const half = id ?? secret;
  const other = id === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY';
  if (half !== undefined && !unusable.has(other)) {
    const aliases = VARIABLES[other].aliases?.join(', ');
    problems.push(
      `${half.name} is set without its other half: set ${other} (or ${aliases}) too, or neither to use the AWS SDK's own chain.`,
    );
  }
  return undefined;
}

/** The passwords of proxies, as they are and as they are sent. */
export function passwordsOf(proxies: ProxyEnv): string[] {
  return Object.values(proxies).flatMap((proxy) => {
    const { username = '', password = '' } = URL.parse(proxy) ?? {};
    const [user, secret] = [decodeURIComponent(username), decodeURIComponent(password)];
    return secret === '' ? [] : [secret, password, `${user}:${secret}`];
  });
}

/** The values of the secrets, and Amplitude's pair, whose Base64 is sent. */
export function secretsOf(found: ReadonlyMap<VariableName, Found>): string[] {
  const values = [...found].filter(([name]) => VARIABLES[name].secret).map(([, { value }]) => value);
  const apiKey = found.get('AMPLITUDE_API_KEY');
  const secretKey = found.get('AMPLITUDE_SECRET_KEY');
  return apiKey === undefined ? values : [...values, `${apiKey.value}:${secretKey?.value ?? ''}`];
}

/** A URL for messages, with or without its scheme. What stands before its last @ may be a password. */
export function withoutUserinfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1[secret]@');
}
