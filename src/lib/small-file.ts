import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Bytes; more than any list of authorities. */
const MAX_SIZE = 4 * 1024 * 1024;

/**
 * Reads a file that a client or a stored record names. A pipe without a writer would be waited for without end, and with
 * it one of the few threads that all of the process shares; a device may never end.
 * @throws the system's error, or TypeError for what is no file, or too large
 */
export async function readSmallFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new TypeError('the path names no file');
    if (status.size > MAX_SIZE) throw new TypeError('the file is too large');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
