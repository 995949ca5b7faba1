CREATE TABLE `recounts` (
	`round` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`created_at` integer NOT NULL
);
