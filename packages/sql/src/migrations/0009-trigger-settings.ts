/** Migration 0009: nothing on SQLite, which has no settings that change what a trigger does. Never edited once released. */

export async function up(): Promise<void> {}
