CREATE TABLE `certificates` (
	`id` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`learned_at` integer NOT NULL
);
