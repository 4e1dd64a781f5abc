/** Database plugins, by the names that configurations give. */
export const databasePlugins = [
  'mysql-aurora-database-plugin',
  'mysql-database-plugin',
  'mysql-legacy-database-plugin',
  'mysql-rds-database-plugin',
  'postgresql-database-plugin',
] as const;

export type DatabasePlugin = (typeof databasePlugins)[number];
