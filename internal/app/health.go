package app

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// health is grpc.health.v1.Health for the process as a whole, the service "":
// it says what /ready says, at the time of the call.
type health struct {
	grpc_health_v1.UnimplementedHealthServer

	ready func() error
}

// Check implements grpc.health.v1.Health.
func (h health) Check(_ context.Context, req *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if req.GetService() != "" {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	serving := grpc_health_v1.HealthCheckResponse_SERVING
	if h.ready() != nil {
		serving = grpc_health_v1.HealthCheckResponse_NOT_SERVING
	}
	return &grpc_health_v1.HealthCheckResponse{Status: serving}, nil
}
