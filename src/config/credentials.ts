import type { ProxyEnv } from '../network.ts';
import type { Given } from './names.ts';
import { VARIABLES } from './variables.ts';

/** The problem of one AWS key without the other. */
export function halfPair(given: Given): string[] {
  const [id, secret] = [given.get('AWS_ACCESS_KEY_ID'), given.get('AWS_SECRET_ACCESS_KEY')];
  const other = id === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY';
  const half = id ?? secret;
  if (half === undefined || given.has(other)) return [];
  const aliases = VARIABLES[other].aliases?.join(', ');
  return [
    `${half.name} is set without its other half: set ${other} (or ${aliases}) too, or neither to use the AWS SDK's own chain.`,
  ];
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
export function secretsOf(given: Given): string[] {
  const values = [...given].flatMap(([name, found]) => (VARIABLES[name].secret && found ? [found.value] : []));
  const [key, secret] = [given.get('AMPLITUDE_API_KEY'), given.get('AMPLITUDE_SECRET_KEY')];
  return key === undefined ? values : [...values, `${key.value}:${secret?.value ?? ''}`];
}

/** A URL for messages, with or without its scheme. What stands before its last @ may be a password. */
export function withoutUserinfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1[secret]@');
}
