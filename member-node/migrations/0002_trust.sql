CREATE TABLE `log_entries` (
	`index` integer PRIMARY KEY NOT NULL,
	`typ` text NOT NULL,
	`message` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `log_entries_message_unique` ON `log_entries` (`message`);--> statement-breakpoint
CREATE TABLE `log_reading` (
	`only` integer PRIMARY KEY DEFAULT 1 NOT NULL,
	`size` integer NOT NULL,
	`subtrees` blob NOT NULL
);
--> statement-breakpoint
CREATE TABLE `past_cohorts` (
	`cohort` text PRIMARY KEY NOT NULL,
	`round` text NOT NULL,
	`query` text NOT NULL,
	`charter` text NOT NULL,
	`asked` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `revocations` (
	`id` text PRIMARY KEY NOT NULL,
	`target` text NOT NULL,
	`compact` text NOT NULL,
	`learned_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `revocations_by_target` ON `revocations` (`target`);--> statement-breakpoint
CREATE TABLE `sponsorships` (
	`id` text PRIMARY KEY NOT NULL,
	`researcher` text,
	`compact` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `void_rounds` (
	`round` text PRIMARY KEY NOT NULL,
	`certificate` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `void_statements` (
	`round` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`created_at` integer NOT NULL
);
