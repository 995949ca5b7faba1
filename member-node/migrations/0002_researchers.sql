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
