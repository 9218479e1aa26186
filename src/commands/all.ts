import type { CommandTable } from '../cli/arguments.ts';

/** Each command with the code of its rooms, which is loaded where the command runs or help shows it. */
export const COMMANDS = {
  export: async () => (await import('./export.ts')).exportCommand,
  status: async () => (await import('./status.ts')).statusCommand,
  verify: async () => (await import('./verify.ts')).verifyCommand,
  reconcile: async () => (await import('./reconcile.ts')).reconcileCommand,
  adopt: async () => (await import('./adopt.ts')).adoptCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
  demo: async () => (await import('./demo.ts')).demoCommand,
  simulate: async () => (await import('./simulate.ts')).simulateCommand,
} satisfies CommandTable;
